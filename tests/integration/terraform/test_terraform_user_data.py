"""What hosts run at their first boot, tried with stand-ins for the tools that touch disks."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
AGENT = '{ amazon-ssm-agent = { key = "agents/agent.deb", sha256 = "SHA" } }'
# Stand-ins: each writes its call into $CALLS; what lsblk and blkid say comes from files of the test.
TOOLS = {
    "lsblk": 'case "$*" in *MODEL*) f=disks ;; *TYPE*) f=types ;; *MOUNTPOINTS*) f=mounts ;; esac; cat "$STATE/$f"',
    "blkid": 'case "$*" in *LABEL*) cat "$STATE/label" ;; *) cat "$STATE/type" ;; esac',
    "mkfs.ext4": 'echo "mkfs.ext4 $*" >>"$CALLS"; echo ext4 >"$STATE/type"; echo nifi >"$STATE/label"',
    "mount": 'echo "mount $*" >>"$CALLS"; echo /mounted >"$STATE/mounts"',
    "mountpoint": 'grep -q . "$STATE/mounts"',
    "apt-get": 'echo "apt-get $*" >>"$CALLS"',
    "aws": 'printf package >"${@: -1}"',
    "sleep": "",
}


def render(agents: str = "{}", module: str = "nifi") -> str:
    """The template as Terraform renders it."""
    terraform = ROOT / "terraform"
    values = f'{{ agents = {agents}, artifacts_bucket = "artifacts", region = "eu-central-1" }}'
    shared = f'templatefile("{terraform}/shared/install-agents.tpl", {values})'
    template = f'templatefile("{terraform}/modules/{module}/user-data.tpl", {{ install_agents = {shared} }})'
    done = subprocess.run(
        ["terraform", "console"],
        input=f"base64encode({template})\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return base64.b64decode(done.stdout.strip().strip('"')).decode()


@dataclass
class Host:
    """A machine with at most one disk beside the root disk; `boot` runs the script and returns the tools' calls."""

    root: Path
    script: str

    def boot(self, expected: int = 0) -> list[str]:
        calls = self.root / "calls"
        calls.write_text("")
        environment = {
            **os.environ,
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "STATE": str(self.root / "state"),
            "CALLS": str(calls),
            "TMPDIR": str(self.root),
        }
        done = subprocess.run(["bash", "-c", self.script], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        return calls.read_text().splitlines()


def host(
    root: Path, model: str = "", *, kind: str = "", label: str = "", disk: bool = True, agents: str = "{}"
) -> Host:
    (root / "bin").mkdir()
    (root / "state").mkdir()
    (root / "etc").mkdir()
    (root / "etc" / "fstab").write_text("")
    device = root / "nvme1n1"
    state = {
        "disks": f"{device} {model}\n" if disk else "",
        "types": "disk\n",
        "mounts": "",
        "type": f"{kind}\n" if kind else "",
        "label": f"{label}\n" if label else "",
    }
    for name, text in state.items():
        (root / "state" / name).write_text(text)
    for name, body in TOOLS.items():
        tool = root / "bin" / name
        tool.write_text(f"#!/bin/bash\n{body}\n")
        tool.chmod(0o755)
    if disk:
        try:
            os.mknod(device, 0o600 | stat.S_IFBLK, os.makedev(7, 200))
        except PermissionError:
            pytest.skip("only root can make a block device")
    script = render(agents)
    for there, here in {
        "/dev/nvme": f"{root}/nvme",
        "/etc/fstab": f"{root}/etc/fstab",
        "/var/lib/nifi": f"{root}/data",
    }.items():
        assert there in script
        script = script.replace(there, here)
    return Host(root, script)


@pytest.mark.parametrize("module", ["nifi", "airflow"])
@pytest.mark.parametrize("agents", ["{}", AGENT.replace("SHA", "0" * 64)])
def test_shellcheck_is_content(module: str, agents: str) -> None:
    script = render(agents, module)
    assert ("sha256sum --check" in script) == (agents != "{}")
    subprocess.run(["shellcheck", "--shell=bash", "-"], input=script, text=True, check=True)


def test_without_a_disk_the_folder_serves(tmp_path: Path) -> None:
    assert host(tmp_path, disk=False).boot() == []
    assert (tmp_path / "data").is_dir()


def test_an_empty_volume_is_formatted_once(tmp_path: Path) -> None:
    machine = host(tmp_path, "Amazon Elastic Block Store")
    device = tmp_path / "nvme1n1"
    assert machine.boot() == [f"mkfs.ext4 -q -L nifi {device}", f"mount {device} {tmp_path / 'data'}"]
    (tmp_path / "state" / "mounts").write_text("")
    assert machine.boot() == [f"mount {device} {tmp_path / 'data'}"]
    assert (tmp_path / "etc" / "fstab").read_text().count("LABEL=nifi ") == 1


@pytest.mark.parametrize(
    ("model", "kind", "why"),
    [
        ("Amazon Elastic Block Store", "xfs", "somebody's file system"),
        ("Amazon EC2 NVMe Instance Storage", "", "instance storage, gone after a stop"),
    ],
)
def test_a_disk_that_is_not_ours_stays_as_it_is(tmp_path: Path, model: str, kind: str, why: str) -> None:
    assert host(tmp_path, model, kind=kind).boot() == [], why


def test_a_package_with_another_checksum_is_not_installed(tmp_path: Path) -> None:
    machine = host(tmp_path, disk=False, agents=AGENT.replace("SHA", "0" * 64))
    assert [call for call in machine.boot(expected=1) if ".deb" in call] == []


PACKAGE = AGENT.replace("SHA", hashlib.sha256(b"package").hexdigest())


def test_a_package_with_its_checksum_is_installed(tmp_path: Path) -> None:
    last = host(tmp_path, disk=False, agents=PACKAGE).boot()[-1]
    assert re.fullmatch(r"apt-get .*DPkg::Lock::Timeout=300 .*install .*/amazon-ssm-agent\.deb", last)


@pytest.mark.parametrize(("failures", "code"), [(3, 0), (99, 1)])
def test_a_bucket_that_refuses_for_a_moment_is_asked_again(tmp_path: Path, failures: int, code: int) -> None:
    """The role of a host that is only just made may not be known everywhere yet, and a first boot has one try."""
    machine = host(tmp_path, disk=False, agents=PACKAGE)
    (tmp_path / "bin" / "aws").write_text(
        f'#!/bin/bash\necho x >>"$STATE/asked"\n[ "$(wc -l <"$STATE/asked")" -gt {failures} ] || exit 255\n'
        + TOOLS["aws"]
    )
    assert any(".deb" in call for call in machine.boot(expected=code)) == (code == 0)
    assert len((tmp_path / "state" / "asked").read_text().splitlines()) == min(failures + 1, 10)
