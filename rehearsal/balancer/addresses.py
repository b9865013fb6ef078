"""The machine's side of addresses and ports: which are here, which are taken and by whom."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from rehearsal.balancer.model import World
from rehearsal.errors import RehearsalError
from rehearsal.paths import CHECKOUT


class BalancerError(RehearsalError):
    """The balancer cannot do what it was asked; the text says what is wrong and the fix."""


def place_addresses(world: World, memory: Path) -> list[str]:
    """Put the load balancers' addresses on their VPC's bridge, and take away those of load balancers that are gone.

    HAProxy binds them and calls from them, so that the hosts' packet filters know the load balancer. `memory` is a
    file that remembers which were added here: other /32 addresses on a bridge are not ours. Returns what was done.
    """
    bridges = {network.vpc_id: network.bridge for network in world.networks}
    wanted = {
        f"{address}/32 {bridges[balancer.vpc_id]}"
        for balancer in world.balancers
        for address in balancer.addresses
        if not ipaddress.ip_address(address).is_loopback
    }
    ours = set(memory.read_text().splitlines()) if memory.exists() else set()
    done = []
    for entry in sorted(wanted | ours):
        address, bridge = entry.split()
        here = f" {address} " in _ip("-o", "-4", "addr", "show", "dev", bridge).stdout
        if entry in wanted and not here:
            added = _ip("addr", "add", address, "dev", bridge)
            if added.returncode != 0:
                raise BalancerError(f"cannot give {bridge} the address {address}: {added.stderr.strip()}")
            done.append(f"{address} added to {bridge}")
        elif entry not in wanted and here:
            _ip("addr", "del", address, "dev", bridge)
            done.append(f"{address} taken from {bridge}")
    if wanted != ours:
        memory.write_text("\n".join(sorted(wanted)))
    return done


def _ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def check_free(where: str) -> None:
    """Raise BalancerError, naming the holder, when `where` (ADDRESS:PORT) is taken."""
    address, port = where.split(":")
    taken = holder(address, int(port))
    if taken is None:
        return
    other = _checkout(taken.pid)
    if other:
        raise BalancerError(
            f"{where} is taken by the rehearsal of another checkout, {other}: a machine holds one at a time. "
            "End that one with `make destroy` there, then run again"
        )
    raise BalancerError(
        f"{where} is taken by {taken.name}: a rehearsal is reached there, as on AWS. Stop that program, then run again"
    )


@dataclass(frozen=True)
class Holder:
    """Who listens: "NAME (process PID)" and the process; its id is 0 where nobody may see it."""

    name: str
    pid: int


def _checkout(pid: int) -> Path | None:
    """The other checkout whose rehearsal a process belongs to."""
    try:
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return None
    for one in (folder, *folder.parents):
        if (one / "runner.py").is_file() and (one / "rehearsal").is_dir():
            return one if one != CHECKOUT else None
    return None


def holder(address: str, port: int) -> Holder | None:
    """Who listens on `address`:`port` of this machine, None when it is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            return None
        except PermissionError as problem:
            raise BalancerError(f"{address}:{port} may not be bound ({problem}): run the rehearsal as root") from None
        except OSError:
            pass
    wanted = listening(port)
    for process in Path("/proc").glob("[0-9]*"):
        if open_sockets(int(process.name)) & wanted:
            try:
                return Holder(f"{(process / 'comm').read_text().strip()} (process {process.name})", int(process.name))
            except OSError:
                continue
    return Holder("another process", 0)


def listening(port: int | None = None) -> set[str]:
    """Inodes of the machine's listening TCP sockets, of one port or all (proc_net_tcp: state 0A)."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:  # a machine without IPv6
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and (port is None or fields[1].endswith(f":{port:04X}")):
                inodes.add(f"socket:[{fields[9]}]")
    return inodes


def open_sockets(pid: int) -> set[str]:
    """What a process has open, as link texts; empty when it is gone or not ours to see."""
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(os.readlink(link))
    except OSError:
        return set()
    return found
