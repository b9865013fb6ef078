"""What of a rehearsal could be left on a machine: taken before, compared after `destroy`."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

SYSCTLS = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/bridge/bridge-nf-call-iptables")
# Words in a command line that only processes of a rehearsal carry.
PROCESS_WORDS = ("rehearsal", "moto", "org.apache.nifi", "haproxy", "dnsmasq", "conmon", "terraform")


@dataclass(frozen=True)
class Machine:
    """Links, mounts, packet filter rules, sysctls and processes, each as a set of lines."""

    links: frozenset[str]
    mounts: frozenset[str]
    filters: frozenset[str]
    sysctls: frozenset[str]
    processes: frozenset[str]

    @classmethod
    def now(cls) -> Machine:
        return cls(
            links=frozenset(path.name for path in Path("/sys/class/net").iterdir()),
            mounts=frozenset(line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()),
            filters=frozenset(_lines("nft", "list", "ruleset") + _lines("iptables-save")),
            sysctls=frozenset(_sysctls()),
            processes=frozenset(_processes()),
        )

    def left_since(self, before: Machine) -> dict[str, list[str]]:
        """What is there now and was not before, by kind; only kinds with something."""
        left = {f.name: sorted(getattr(self, f.name) - getattr(before, f.name)) for f in fields(self)}
        return {kind: lines for kind, lines in left.items() if lines}


def _lines(*command: str) -> list[str]:
    output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    # counters and the dates in comments of iptables-save change by themselves; an empty table is nothing left behind
    kept = [line.split(" [")[0].strip() for line in output.splitlines() if not line.startswith("#")]
    return [line for line in kept if line and line not in ("}", "COMMIT") and not line.startswith(("*", ":", "table "))]


def _sysctls() -> list[str]:
    paths = [Path("/proc/sys") / name for name in SYSCTLS]
    return [f"{path}={path.read_text().strip()}" for path in paths if path.exists()]


def _processes() -> list[str]:
    """Those of a rehearsal. What it leaves has no parent among the tests; what other workers' tests run has one, or
    carries their name.
    """
    lines: dict[int, str] = {}
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            lines[int(path.name)] = (
                (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            )
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return [
        line[:200]
        for pid, line in lines.items()
        if any(word in line for word in PROCESS_WORDS)
        and _worker(pid) in (None, os.environ.get("PYTEST_XDIST_WORKER"))
        and not any("pytest" in lines.get(one, "") for one in _ancestry(pid, parents))
    ]


def _worker(pid: int) -> str | None:
    """The worker of pytest whose environment a process has."""
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
            name, _, value = entry.decode(errors="replace").partition("=")
            if name == "PYTEST_XDIST_WORKER":
                return value
    return None


def _ancestry(pid: int, parents: dict[int, int]) -> list[int]:
    """A process and those it descends from."""
    found = []
    while pid and pid not in found:
        found.append(pid)
        pid = parents.get(pid, 0)
    return found
