"""The image of the hosts: Debian 13 with systemd, cloud-init and what the roles install, made by mmdebstrap.

It stands for two things on AWS: Debian's machine image, and a package mirror within reach. The roles' packages are in
it, so that a host needs no network to become a node. Its name carries a hash of everything it is made from.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.hosts.podman import Podman
from rehearsal.processes import exclusive

SUITE = "trixie"
REPOSITORY = "localhost/dataplatform-host"
UNFINISHED = f"{REPOSITORY}:unfinished"
SYSTEM = [
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "python3-apt",
    "sudo",
    "ca-certificates",
    "iproute2",
    "iputils-ping",
    "curl",
    "procps",
    "cloud-init",
]
"""What Debian's machine images carry as well."""
BAKED = [
    "acl",
    "chrony",
    "haproxy",
    "libpq5",
    "logrotate",
    "nftables",
    "openjdk-21-jre-headless",
    "openssl",
    "postgresql",
    "postgresql-client",
    "python3-boto3",
    "python3-cryptography",
    "python3-lxml",
    "python3-pip",
    "python3-psycopg2",
    "python3-venv",
    "unzip",
]
"""What the roles install, and PostgreSQL for the databases that stand behind RDS."""
HOOKS = [
    # update-alternatives of the JRE fails without the folder of the pages that are left out
    ("essential", 'mkdir -p "$1/usr/share/man/man1"'),
    # a database has its own data folder: no cluster that comes with the package
    ("essential", 'mkdir -p "$1/etc/postgresql-common/createcluster.d"'),
    ("essential", 'echo "create_main_cluster = false" > "$1/etc/postgresql-common/createcluster.d/none.conf"'),
    ("customize", 'chroot "$1" useradd --create-home --shell /bin/bash --groups sudo admin'),
    ("customize", 'rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/machine-id"; echo uninitialized > "$1/etc/machine-id"'),
    ("customize", 'chroot "$1" systemctl --quiet enable host-keys.service web-ca.service'),
    # installed for the roles, which start them
    ("customize", 'chroot "$1" systemctl --quiet disable haproxy.service chrony.service postgresql.service'),
    (
        "customize",
        'chroot "$1" systemctl --quiet mask systemd-networkd-wait-online.service getty@tty1.service'
        " console-getty.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer"
        " fstrim.timer systemd-firstboot.service systemd-udevd.service",
    ),
]
LEFT_OUT = ["/usr/share/man/*", "/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*"]
FILES: dict[str, tuple[int, str]] = {
    "etc/sudoers.d/90-admin": (0o440, "admin ALL=(ALL) NOPASSWD:ALL\n"),
    "etc/ssh/sshd_config.d/10-host.conf": (
        0o644,
        "PasswordAuthentication no\nUseDNS no\nAuthorizedKeysFile .ssh/authorized_keys /etc/ssh/authorized_keys.d/%u\n",
    ),
    "etc/systemd/system/host-keys.service": (
        0o644,
        "[Unit]\nDescription=Make the host's SSH key\nBefore=ssh.service\n"
        "ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key\n"
        "[Service]\nType=oneshot\n"
        "ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key\n"
        "[Install]\nRequiredBy=ssh.service\n",
    ),
    # On AWS a public CA signs what balancers show, and every machine image trusts those.
    "etc/systemd/system/web-ca.service": (
        0o644,
        "[Unit]\nDescription=Trust the CA that signs what balancers show\nBefore=ssh.service\n"
        "ConditionPathExists=!/etc/ssl/certs/rehearsal-web-ca.pem\n"
        "[Service]\nType=oneshot\nExecStart=/usr/sbin/update-ca-certificates\n"
        "[Install]\nRequiredBy=ssh.service\n",
    ),
    # Address, name, SSH and users are settled when the container is made; cloud-init does the rest.
    "etc/cloud/cloud.cfg.d/90_host.cfg": (
        0o644,
        "network: {config: disabled}\n"
        "preserve_hostname: true\n"
        "manage_etc_hosts: false\n"
        "ssh_deletekeys: false\n"
        "ssh_genkeytypes: []\n"
        "users: []\n"
        "cloud_init_modules: [bootcmd, write_files, users_groups]\n"
        "cloud_config_modules: [runcmd]\n"
        "cloud_final_modules: [package_update_upgrade_install, write_files_deferred, scripts_vendor,"
        " scripts_per_once, scripts_per_boot, scripts_per_instance, scripts_user, final_message]\n",
    ),
    "etc/resolv.conf": (0o644, ""),
}


def name() -> str:
    """The image's name with its tag; it changes with anything the image is made from."""
    made_from = [SUITE, repr(SYSTEM), repr(BAKED), repr(HOOKS), repr(LEFT_OUT), repr(FILES)]
    return f"{REPOSITORY}:{hashlib.sha256(chr(0).join(made_from).encode()).hexdigest()[:12]}"


def ready(podman: Podman) -> bool:
    """Whether the image is in the storage. Cheap enough to ask at every start."""
    return bool(podman("images", "--quiet", name()).strip())


def build(podman: Podman, progress: Callable[[str], None] = print) -> str:
    """Build the image unless it is there and return its name. Raises RehearsalError.

    Only one process builds at a time; the others wait and find it built.
    """
    with exclusive(podman.folder / "image.lock"):
        if ready(podman):
            return name()
        for left in podman.folder.glob("build-*"):
            shutil.rmtree(left, ignore_errors=True)
        progress(f"building the hosts' image: Debian {SUITE} and {len(SYSTEM) + len(BAKED)} packages")
        with tempfile.TemporaryDirectory(dir=podman.folder, prefix="build-", ignore_cleanup_errors=True) as folder:
            _bootstrap(podman, Path(folder))
        _remove_older(podman)
        return name()


def _remove_older(podman: Podman) -> None:
    """Delete images of other content, but those that hosts still run from."""
    for tagged in podman("images", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).split():
        if tagged != name():
            podman("rmi", tagged, check=False)


def _bootstrap(podman: Podman, folder: Path) -> None:
    """mmdebstrap writes a tar file to podman's standard input: nothing is copied twice."""
    (folder / "files.tar").write_bytes(_archive(FILES))
    command = ["mmdebstrap", "--mode=root", "--variant=apt", "--skip=check/empty", "--format=tar"]
    command += ['--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += [f"--include={','.join(SYSTEM + BAKED)}", f"--customize-hook=tar-in {folder / 'files.tar'} /"]
    command += [f"--{stage}-hook={script}" for stage, script in HOOKS]
    command += [SUITE, "-", mirror(folder)]
    into = ["podman", "import", "--change", "STOPSIGNAL=SIGRTMIN+3", "--change", 'CMD=["/lib/systemd/systemd"]']
    into += ["-", UNFINISHED]
    environment = {**podman.environment(), "TMPDIR": str(folder), "DEBIAN_FRONTEND": "noninteractive"}
    with (podman.folder / "image.log").open("w") as log:
        # namespaces of its own: what mmdebstrap mounts and starts goes when it ends or we do, however that happens
        maker = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
        )
        assert maker.stdout
        taker = subprocess.Popen(
            podman.command(into), stdin=maker.stdout, stdout=log, stderr=log, env=podman.environment()
        )
        maker.stdout.close()
        try:
            codes = (maker.wait(900), taker.wait(300))
        finally:
            for process in (maker, taker):
                if process.poll() is None:
                    process.kill()
                    process.wait()
    if codes == (0, 0):
        # only now: whoever is killed before leaves no image that looks whole
        podman("tag", UNFINISHED, name())
    podman("untag", UNFINISHED, UNFINISHED, check=False)
    if codes != (0, 0):
        raise RehearsalError(
            f"the hosts' image could not be built (mmdebstrap {codes[0]}, podman import {codes[1]}); "
            f"the end of {podman.folder / 'image.log'}:\n{_last_lines(podman.folder / 'image.log')}"
        )


def mirror(folder: Path) -> str:
    """URL of a Debian mirror that has the suite, as this machine's apt knows it.

    `folder` takes a file or two. Raises RehearsalError when apt knows none; DEBIAN_MIRROR names one by hand.
    """
    if shutil.which("mmdebstrap") is None:
        raise RehearsalError("mmdebstrap is not installed: the hosts' image is made with it (make setup)")
    named = os.environ.get("DEBIAN_MIRROR")
    known = [named] if named else configured()
    for url in known:
        release = folder / "InRelease"
        done = subprocess.run(
            ["/usr/lib/apt/apt-helper", "download-file", f"{url.rstrip('/')}/dists/{SUITE}/InRelease", str(release)],
            capture_output=True,
            timeout=60,
            check=False,
        )
        if done.returncode == 0 and re.search(r"^Origin: Debian$", release.read_text(errors="replace"), re.MULTILINE):
            return url
    raise RehearsalError(
        f"no Debian mirror with {SUITE} found: apt knows {', '.join(known) or 'none'}; name one in DEBIAN_MIRROR"
    )


def configured() -> list[str]:
    """Addresses of the archives in apt's configuration, in its order, without repetition."""
    form = "$(REPO_URI) $(COMPONENT)"
    done = subprocess.run(
        ["apt-get", "indextargets", "--format", form, "Created-By: Packages"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    pairs = [line.split() for line in done.stdout.splitlines()]
    return list(dict.fromkeys(url for url, component in (p for p in pairs if len(p) == 2) if component == "main"))


def _archive(files: dict[str, tuple[int, str]]) -> bytes:
    """A tar file with `files`: path → (mode, text), all root's."""
    return archive({path: (mode, text.encode()) for path, (mode, text) in files.items()})


def archive(files: dict[str, tuple[int, bytes]]) -> bytes:
    """A tar file with `files`: path → (mode, content), all root's, with the folders they lie in."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        folders = {str(parent) for path in files for parent in list(Path(path).parents)[:-1]}
        for folder in sorted(folders):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for path, (mode, content) in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode, entry.size = mode, len(content)
            tar.addfile(entry, BytesIO(content))
    return stream.getvalue()


def _last_lines(path: Path, count: int = 15) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-count:])
