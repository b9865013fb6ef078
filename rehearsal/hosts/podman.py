"""podman with a storage, settings and a mount namespace of its own, all below `.cache/podman`.

Every podman command runs inside one private mount namespace. So what podman mounts never shows on the machine, and
a machine whose /sys/fs/cgroup is the v1 hybrid gets the plain cgroup2 that systemd in a container needs. Processes,
links and packet filters are the machine's.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rehearsal import machine
from rehearsal.errors import RehearsalError
from rehearsal.paths import PODMAN
from rehearsal.processes import exclusive

TIMEOUT = 60.0
"""Seconds any podman command may take, unless its caller knows better."""

CONTAINERS_CONF = """\
[containers]
# Explicit: root may lack CAP_SYS_RESOURCE, and then podman's own defaults cannot be set.
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
pids_limit = 0
# systemd in a host mounts for the sandboxes of its units, which podman's own profile denies where AppArmor is on
apparmor_profile = "unconfined"
# what they call is on this machine, where no proxy of it reaches
http_proxy = false
[engine]
runtime = "runc"
# Without systemd as process 1 there is no other; with it, this one works as well.
cgroup_manager = "cgroupfs"
events_logger = "none"
# the default is one shared memory segment for every podman of the machine
lock_type = "file"
tmp_dir = "{run}/libpod"
static_dir = "{root}/libpod"
volume_path = "{root}/volumes"
[engine.runtimes]
runc = ["/usr/sbin/runc", "/usr/bin/runc", "/usr/local/sbin/runc", "/usr/local/bin/runc"]
[network]
network_backend = "netavark"
network_config_dir = "{root}/networks"
"""
OUTSIDE = ("/var/tmp", "/var/lib/containers", "/run/containers", "/run/netns", "/run/runc")  # noqa: S108
"""Places where podman and its helpers write whatever their settings say: inside the namespace they lie below .cache."""
ELSEWHERE = ("CONTAINER_", "CONTAINERS_", "DOCKER_HOST", "STORAGE_")
"""Variables that make podman a client of a service (CONTAINER_HOST), or name other settings and storage."""
STORAGE_CONF = """\
[storage]
driver = "overlay"
graphroot = "{root}/storage"
runroot = "{run}/storage"
"""


class PodmanError(RehearsalError):
    """A podman command failed; the text holds the command and what it said."""


class Podman:
    """podman over the storage in `folder`."""

    def __init__(self, folder: Path = PODMAN) -> None:
        self.folder = folder
        self.run_folder = folder / "run"
        self._pin_folder = folder / "namespace"
        self._pin = self._pin_folder / "mnt"

    def __call__(
        self,
        *arguments: str,
        input_bytes: bytes | None = None,
        timeout: float = TIMEOUT,
        check: bool = True,
    ) -> str:
        """Run `podman ARGUMENTS…` and return its standard output. Raises PodmanError."""
        command = ["podman", *arguments]
        try:
            done = subprocess.run(
                self.command(command),
                input=input_bytes,
                stdin=subprocess.DEVNULL if input_bytes is None else None,
                capture_output=True,
                env=self.environment(),
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PodmanError(f"{' '.join(command)}: no answer within {timeout:.0f} s") from None
        if check and done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()
            raise PodmanError(f"{' '.join(command)}: exit {done.returncode}: {said}")
        return done.stdout.decode(errors="replace")

    def json(self, *arguments: str) -> Any:
        """The parsed output of a podman command that prints JSON."""
        return json.loads(self(*arguments) or "null")

    def command(self, command: Iterable[str], folder: str = "/") -> list[str]:
        """`command` as it has to be started to run in `folder` inside the namespace, which is made when missing."""
        self.ensure()
        return ["nsenter", f"--mount={self._pin}", f"--wd={folder}", "--", *command]

    def environment(self) -> dict[str, str]:
        """The inherited variables with podman's settings files, and without what leads to another podman."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(ELSEWHERE)}
        return {
            **inherited,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
        }

    def execute(self, command: list[str]) -> int:
        """Replace this process by `command`, inside the namespace. Returns only when it cannot be started."""
        wrapped = self.command(command, os.getcwd())
        try:
            os.execvpe(wrapped[0], wrapped, self.environment())  # noqa: S606  # the user's own command
        except OSError as problem:
            print(f"{command[0]}: {problem}", file=sys.stderr)
        return 127

    def ensure(self) -> None:
        """Make folders, settings and namespace; no matter if they are there."""
        if self._ready():
            return
        _need_root_and_programs()
        with exclusive(self.folder / "namespace.lock"):
            if not self._ready():
                self._prepare()

    def _ready(self) -> bool:
        return self._pinned() and self._noted_boot() == _boot_id()

    def _noted_boot(self) -> str | None:
        """Id of the boot in which the folder was last prepared."""
        try:
            return (self.run_folder / "boot_id").read_text()
        except OSError:
            return None

    def _prepare(self) -> None:
        if self._noted_boot() not in (None, _boot_id()):
            # noted in an earlier boot, and no longer true
            (self.folder / "machine.json").unlink(missing_ok=True)
        # what podman noted about running containers is wrong after a boot, too, which it cannot see below .cache
        self.release()
        machine.note(self.folder / "machine.json")
        self.run_folder.mkdir(parents=True, exist_ok=True)
        (self.run_folder / "boot_id").write_text(_boot_id())
        for name, text in (("containers.conf", CONTAINERS_CONF), ("storage.conf", STORAGE_CONF)):
            (self.folder / name).write_text(text.format(root=self.folder, run=self.run_folder))
        self._make_namespace()

    def _make_namespace(self) -> None:
        self._pin_folder.mkdir(parents=True, exist_ok=True)
        if not _is_mount(self._pin_folder):
            # A namespace can be pinned only on a mount that does not propagate.
            _run("mount", "--bind", str(self._pin_folder), str(self._pin_folder))
            _run("mount", "--make-private", str(self._pin_folder))
        self._pin.touch()
        script = [] if plain_cgroup2() else ["umount -R /sys/fs/cgroup", "mount -t cgroup2 cgroup2 /sys/fs/cgroup"]
        for place in OUTSIDE:
            kept = self.run_folder / "outside" / place.strip("/").replace("/", "-")
            kept.mkdir(parents=True, exist_ok=True)
            kept.chmod(0o1777 if place == "/var/tmp" else 0o755)  # noqa: S108
            Path(place).mkdir(parents=True, exist_ok=True)
            script.append(f"mount --bind {shlex.quote(str(kept))} {place}")
        _run("unshare", f"--mount={self._pin}", "--propagation", "private", "sh", "-ec", "\n".join(script))

    def release(self) -> None:
        """Undo `ensure`: unpin the namespace, with which all its mounts go. Images stay."""
        for path in (self._pin, self._pin_folder):
            for _ in range(8):
                if not _is_mount(path):
                    break
                umount(path)
        shutil.rmtree(self._pin_folder, ignore_errors=True)
        shutil.rmtree(self.run_folder, ignore_errors=True)

    @property
    def exists(self) -> bool:
        """Whether the namespace is there, so that containers may be."""
        return self._pinned()

    def _pinned(self) -> bool:
        return _is_mount(self._pin)


def plain_cgroup2(mounts: str | None = None) -> bool:
    """Whether /sys/fs/cgroup is cgroup v2 alone, and not the v1 hybrid; `mounts` is in the form of mountinfo."""
    for line in (mounts or Path("/proc/self/mountinfo").read_text()).splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[4] == "/sys/fs/cgroup":
            return rest.split()[0] == "cgroup2"
    return False


def mountpoints() -> list[str]:
    """Mount points of the machine, in order."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4].replace("\\040", " ") for line in lines]


def umount(path: Path) -> None:
    """Take a mount away, at once for everybody who does not use it."""
    _run("umount", "--lazy", str(path))


def _is_mount(path: Path) -> bool:
    return str(path) in mountpoints()


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False)
    if done.returncode != 0:
        raise RehearsalError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}")


PROGRAMS: Mapping[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "conmon": "conmon",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "ssh-keygen": "openssh-client",
}


def _need_root_and_programs() -> None:
    if os.geteuid() != 0:
        raise RehearsalError("a rehearsal makes containers and networks, which needs root: run it with sudo")
    missing = sorted({package for program, package in PROGRAMS.items() if not _found(program)})
    if missing:
        raise RehearsalError(f"missing on this machine: install the packages {' '.join(missing)} (make setup)")


def _found(program: str) -> bool:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/libexec/podman"
    return shutil.which(program, path=path) is not None
