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

from rehearsal.processes import write_json

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
FOLDERS = [Path(name) for name in ("/var/lib/containers", "/run/containers", "/run/netns", "/run/runc", "/run/libpod")]
"""Mount points for podman's namespace, and what podman makes at its first start; empty at the end."""
TABLES = [("ip", "filter"), ("ip", "nat"), ("ip6", "filter"), ("ip6", "nat"), ("inet", "netavark")]
CHAIN = re.compile(r"\bNETAVARK[-_A-Z0-9a-z]*")


def note(path: Path) -> None:
    """Write down the machine's state, unless that was done before."""
    if not path.exists():
        here = [str(folder) for folder in FOLDERS if folder.exists()]
        forward = FORWARD.read_text().strip() if FORWARD.exists() else ""
        write_json(path, {"forward": forward, "folders": here, "tables": _tables(), "chains": _has_chains()})


def restore(path: Path) -> None:
    """Put back what `note` wrote down."""
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):
        return
    if not before["chains"]:
        for family in ("iptables", "ip6tables"):
            _remove_chains(family)
    for table in _tables():
        if table not in before["tables"] and _empty(table):
            _output("nft", "delete", "table", *table.split())
    if before["forward"] and FORWARD.read_text().strip() != before["forward"]:
        FORWARD.write_text(before["forward"])
    for folder in FOLDERS:
        if str(folder) not in before["folders"] and folder.is_dir():
            _remove_empty(folder)
    path.unlink()


def _remove_empty(folder: Path) -> None:
    for child in [one for one in folder.rglob("*") if one.is_dir()][::-1] + [folder]:
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
