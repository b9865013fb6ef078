"""What a rehearsal may change on the machine beside its own links and processes, and how that is put back.

The supervisor changes none of it. podman's own networks, which role tests use, turn on forwarding and leave chains,
and podman's namespace needs empty folders to mount over. What was there before is noted, and restored at the end.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from rehearsal.hosts import network
from rehearsal.processes import write_json

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
BOOT = Path("/proc/sys/kernel/random/boot_id")
LINKS = Path("/sys/class/net")
BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
UFW = Path("/etc/ufw/ufw.conf")
FOLDERS = [Path(name) for name in ("/var/lib/containers", "/run/containers", "/run/netns", "/run/runc", "/run/libpod")]
"""Mount points for podman's namespace, and what podman makes at its first start; empty at the end."""
TABLES = [("ip", "filter"), ("ip", "nat"), ("ip6", "filter"), ("ip6", "nat"), ("inet", "netavark")]
CHAIN = re.compile(r"\bNETAVARK[-_A-Z0-9a-z]*")


def obstacles(hosts: str) -> list[str]:
    """What of this machine's packet filter would keep hosts from it or from each other, and how to let them.

    :param hosts: their addresses, as a network
    """
    found = []
    if UFW.exists() and "ENABLED=yes" in UFW.read_text():
        found.append(f"ufw is on and drops what hosts ask of this machine: ufw allow from {hosts}")
    if _output("firewall-cmd", "--state").strip() == "running":
        add = f"firewall-cmd --zone=trusted --add-source={hosts}"
        found.append(f"firewalld is on and drops what hosts ask of this machine: {add}")
    bridged = BRIDGED.exists() and BRIDGED.read_text().strip() == "1"
    if bridged and "-P FORWARD DROP" in _output("iptables", "-S", "FORWARD"):
        accept = f"iptables -I FORWARD -s {hosts} -d {hosts} -j ACCEPT"
        found.append(f"this machine filters what crosses bridges, as Docker has it do, also between hosts: {accept}")
    return found


def note(path: Path) -> None:
    """Write down the machine's state, unless that was done before."""
    if _noted(path) is None:
        here = [str(folder) for folder in FOLDERS if folder.exists()]
        state = {"forward": _forward(), "folders": here, "tables": _tables(), "chains": _has_chains()}
        write_json(path, {"boot": _boot(), **state})


def restore(path: Path) -> None:
    """Put back what `note` wrote down, unless others need what came since: their bridges are there."""
    before = _noted(path)
    if before is None:
        path.unlink(missing_ok=True)
        return
    foreign = _bridges()
    if not before["chains"] and not foreign:
        for family in ("iptables", "ip6tables"):
            _remove_chains(family)
    for table in _tables():
        if table not in before["tables"] and _empty(table):
            _output("nft", "delete", "table", *table.split())
    if before["forward"] and _forward() != before["forward"] and not foreign:
        FORWARD.write_text(before["forward"])
    for folder in FOLDERS:
        if str(folder) not in before["folders"] and folder.is_dir():
            _remove_empty(folder)
    path.unlink()


def _noted(path: Path) -> dict[str, Any] | None:
    """What was written down in this boot: a machine that went down has forgotten the rest."""
    try:
        before: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return before if before.get("boot") == _boot() else None


def _boot() -> str:
    return BOOT.read_text().strip()


def _forward() -> str:
    return FORWARD.read_text().strip() if FORWARD.exists() else ""


def _bridges() -> list[str]:
    """Bridges that no rehearsal has made: Docker's, libvirt's, those of the machine's own podman."""
    names = sorted(one.parent.name for one in LINKS.glob("*/bridge"))
    return [name for name in names if not network.BRIDGE.fullmatch(name)]


def _remove_empty(folder: Path) -> None:
    inside = list(folder.rglob("*"))
    if any(one.is_symlink() or not one.is_dir() for one in inside):
        return  # somebody's storage by now
    for child in [*inside[::-1], folder]:
        try:
            child.rmdir()
        except OSError:
            return


def _tables() -> list[str]:
    known = {f"{family} {name}" for family, name in TABLES}
    lines = [line.removeprefix("table ").strip() for line in _output("nft", "list", "tables").splitlines()]
    return [line for line in lines if line in known]


def _empty(table: str) -> bool:
    """Whether a table holds base chains only, without a rule."""
    kept = []
    for line in _output("nft", "list", "table", *table.split()).splitlines():
        text = line.strip()
        if text and text != "}" and not text.startswith(("table ", "chain ", "type ", "#")):
            kept.append(text)
    return not kept


def _has_chains() -> bool:
    return "NETAVARK" in _output("nft", "list", "ruleset")


def _remove_chains(program: str) -> None:
    """Delete every rule that leads to netavark's chains, and the chains."""
    for table in ("filter", "nat"):
        listed = _output(program, "-t", table, "-S").splitlines()
        chains = sorted({name for line in listed if line.startswith("-N ") for name in CHAIN.findall(line)})
        if not chains:
            continue
        for line in listed:
            words = line.split()
            if words[0] == "-A" and words[1] not in chains and CHAIN.search(line):
                _output(program, "-t", table, "-D", *shlex.split(line)[1:])
        for verb in ("-F", "-X"):
            for chain in chains:
                _output(program, "-t", table, verb, chain)


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
