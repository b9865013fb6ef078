"""What a benchmark returns, and the tools they share: a clock for commands, and a watch on memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Result:
    """One figure. ``value`` and ``goal`` share a unit; smaller is better."""

    name: str
    value: float
    goal: float
    unit: str
    note: str = ""

    @property
    def reached(self) -> bool:
        return self.value <= self.goal

    @property
    def text(self) -> str:
        return f"{self.value:.2f} {self.unit}" + (f" ({self.note})" if self.note else "")

    @property
    def goal_text(self) -> str:
        return f"≤ {self.goal:g} {self.unit}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"reached": self.reached}


def seconds(command: Sequence[str], env: Mapping[str, str] | None = None, codes: Sequence[int] = (0,)) -> float:
    """How long a command takes; it must end with one of ``codes``."""
    started = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    taken = time.monotonic() - started
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}")
    return taken


def timed(work: Callable[[], object]) -> float:
    """How long something in this process takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def pace() -> float:
    """Seconds of one core for ten million additions in Python: minutes of two machines compare only beside it."""
    return timed(_ten_million_additions)


def _ten_million_additions() -> int:
    total = 0
    for one in range(10_000_000):
        total += one
    return total


def runner(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "runner.py"), "--env", "dev", "--rehearse", *arguments]


class MemoryWatch:
    """The peak of the machine's used memory over what was used at the start, in MiB, sampled twice a second.

    ``MemAvailable`` counts what the kernel could hand out, so caches do not count as used.
    """

    def __enter__(self) -> MemoryWatch:
        self.start = self.lowest = _available()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.lowest = min(self.lowest, _available())

    @property
    def peak(self) -> float:
        return self.start - self.lowest


def _available() -> float:
    match = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    assert match
    return int(match[1]) / 1024


def quiet() -> bool:
    """Whether the machine has nothing else to do: figures from a busy machine prove nothing."""
    return os.getloadavg()[0] < 0.7 * (os.cpu_count() or 1)
