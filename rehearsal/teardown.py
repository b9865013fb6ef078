"""Ends a rehearsal, whatever is left of it, and puts the machine back. Needs no supervisor and no account."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from rehearsal import balancer, machine
from rehearsal.errors import RehearsalError
from rehearsal.hosts import network
from rehearsal.hosts.podman import Podman, mountpoints, umount
from rehearsal.paths import STATE
from rehearsal.processes import Child, wait_until

KEPT = ("web-ca", "supervisor.log", "account.log")
"""The CA, so that a browser that trusts it needs not be told again, and the logs of what was."""
CHILDREN = ("supervisor", "gateway", "dnsmasq", "account")
Progress = Callable[[str], None]


def everything(progress: Progress) -> None:
    """End processes and containers, remove links, restore the machine, and empty the state folder.

    Every step is tried; what could not be done is raised as one RehearsalError at the end.
    """
    failed = []
    podman = Podman()
    steps: list[tuple[str, Callable[[], object]]] = [
        *((name, Child(name, STATE).stop) for name in CHILDREN[:1]),
        ("balancer", lambda: balancer.stop(STATE)),
        *((name, Child(name, STATE).stop) for name in CHILDREN[1:]),
        ("hosts", lambda: _containers(podman)),
        ("links", _links),
        ("mounts", lambda: _mounts(podman)),
        ("packet filters and folders", lambda: machine.restore(podman.folder / "machine.json")),
        ("state", _state),
    ]
    if any((STATE / f"{name}.json").exists() for name in CHILDREN) or podman.exists:
        progress("ending the rehearsal: hosts, networks, processes")
    for name, step in steps:
        try:
            step()
        except Exception as problem:
            failed.append(f"{name}: {problem}")
    if failed:
        raise RehearsalError("the rehearsal could not be ended completely:\n" + "\n".join(failed))


def _containers(podman: Podman) -> None:
    """Remove every container and network in the rehearsal's own storage, those of role tests included."""
    ids = _container_ids(podman)
    if not podman.exists and not ids:  # after a reboot there is no namespace, but what it held is still stored
        return
    # podman's own networks have bridges, which only it removes completely
    networks = _networks(podman)
    try:
        podman("rm", "--all", "--force", "--time", "1", "--volumes", timeout=120)
    except RehearsalError:
        _kill(ids)
        podman("rm", "--all", "--force", "--time", "0", "--volumes", timeout=120)
    for name in networks:
        podman("network", "rm", "--force", name, check=False)
    for bridge in networks.values():
        network.remove_link(bridge)
    # what databases kept
    podman("volume", "rm", "--all", "--force", check=False)
    _kill(ids)
    _remove_cgroups(ids)


def _container_ids(podman: Podman) -> list[str]:
    try:
        noted = json.loads((podman.folder / "storage" / "overlay-containers" / "containers.json").read_text())
    except (OSError, ValueError):
        return []
    return [item["id"] for item in noted]


def _networks(podman: Podman) -> dict[str, str]:
    """Name → bridge of podman's networks in this storage."""
    found = {}
    for path in (podman.folder / "networks").glob("*.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            noted = json.loads(path.read_text())
            found[noted["name"]] = noted["network_interface"]
    return found


def _cgroups(ids: list[str]) -> list[Path]:
    roots = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
    return [path for root in roots for one in ids for path in root.glob(f"libpod_parent/libpod*-{one}")]


def _kill(ids: list[str]) -> None:
    """Kill what is left in the containers' cgroups."""

    def left() -> list[int]:
        files = [file for path in _cgroups(ids) for file in path.rglob("cgroup.procs")]
        return [int(pid) for file in files for pid in file.read_text().split()]

    for pid in left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not left(), 5)


def _remove_cgroups(ids: list[str]) -> None:
    for path in _cgroups(ids):
        for folder in [*sorted((one for one in path.rglob("*") if one.is_dir()), reverse=True), path]:
            with contextlib.suppress(OSError):
                folder.rmdir()
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        for name in ("libpod_parent/conmon", "libpod_parent"):
            # only empty: another podman's containers may be in it
            with contextlib.suppress(OSError):
                (Path(root) / name).rmdir()


def _links() -> None:
    for link in network.links():
        network.remove_link(link)


def _mounts(podman: Podman) -> None:
    podman.release()
    for point in sorted(mountpoints(), reverse=True):
        if point.startswith(f"{podman.folder}/"):
            umount(Path(point))


def _state() -> None:
    for path in STATE.glob("*"):
        if path.name in KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
