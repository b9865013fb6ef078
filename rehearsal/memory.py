"""How much memory the rehearsal's processes hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def used_mib(processes: Iterable[int | None], hosts: Iterable[int]) -> int:
    """Proportional set size in MiB of `processes` with their descendants, and of everything in the hosts.

    `hosts` are the process ids of the hosts' systemd. Proportional: shared pages are counted once (proc(5), smaps).
    """
    children = _children()
    todo = [pid for pid in (*processes, *hosts) if pid]
    seen: set[int] = set()
    while todo:
        pid = todo.pop()
        if pid not in seen:
            seen.add(pid)
            todo += children.get(pid, [])
    return sum(_pss_kib(pid) for pid in seen) // 1024


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, ValueError):
                continue
            found.setdefault(parent, []).append(int(entry.name))
    return found


def _pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
