"""Processes that outlive whoever started them: found again by id and start time, never by name."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.errors import RehearsalError


@dataclass(frozen=True)
class Identity:
    """A process: its id, and when it started in clock ticks after boot (proc(5), field 22 of stat)."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """Identity of the running process `pid`; None when there is none, or a zombie only."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return None if fields[0] == "Z" else cls(pid, fields[19])

    @property
    def alive(self) -> bool:
        """Whether it still runs: another process with a recycled id is another one."""
        return Identity.of(self.pid) == self

    @property
    def text(self) -> str:
        """`PID@START`, to compare with what was noted earlier."""
        return f"{self.pid}@{self.started}"


class Child:
    """One long-lived process with a note of its identity in `folder`/NAME.json and its output in NAME.log."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.note = folder / f"{name}.json"
        self.log = folder / f"{name}.log"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def identity(self) -> Identity | None:
        """The running process, also when an earlier supervisor started it; None when none runs."""
        if self._popen is not None:
            self._popen.poll()  # collects it when it ended
        try:
            noted = json.loads(self.note.read_text())
            known = Identity(int(noted["pid"]), str(noted["started"]))
        except (OSError, ValueError, KeyError):
            return None
        return known if known.alive else None

    @property
    def pid(self) -> int | None:
        """Process id, None when it does not run."""
        found = self.identity
        return found.pid if found else None

    def start(
        self, command: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None, nice: int = 0
    ) -> Identity:
        """Start it detached, unless it runs. Raises RehearsalError when it ends at once."""
        running = self.identity
        if running:
            return running
        self.note.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [*(["nice", "-n", str(nice)] if nice else []), *command],
                cwd=cwd,
                env=dict(environment) if environment is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        found = Identity.of(self._popen.pid)
        if found is None:
            raise RehearsalError(f"{self.name} ended at once:\n{self.last_words()}")
        write_json(self.note, {"pid": found.pid, "started": found.started})
        return found

    def stop(self, seconds: float = 5.0) -> bool:
        """End it and what it started: SIGTERM, then SIGKILL after `seconds`. Whether there was anything to end."""
        found = self.identity
        if found:
            end_group(found, seconds)
        if self._popen is not None:
            self._popen.poll()
        self.note.unlink(missing_ok=True)
        return found is not None

    def last_words(self, lines: int = 8) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""


def end_group(process: Identity, seconds: float = 5.0) -> None:
    """End a process that leads its group, and the group: SIGTERM, then SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal_group(process, number):
            return
        if wait_until(lambda: not _members(process.pid), seconds):
            return


def _signal_group(process: Identity, number: signal.Signals) -> bool:
    if not process.alive and not _members(process.pid):
        return False
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return False
    return True


def _members(group: int) -> list[int]:
    """Ids of the living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def wait_until(condition: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Whether `condition` became true within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(every)
    return True


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock on the file `path`, waiting for whoever has it; it goes with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_json(path: Path, value: object) -> None:
    """Write atomically: readers see the old content or the new one."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_text(path: Path, text: str, mode: int = 0o600) -> None:
    """Write atomically with `mode`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        stream.write(text)
    part.replace(path)
