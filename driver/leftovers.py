"""Programs of runs, those that outlived them above all, found by the mark that every program of a run carries."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from driver import process


@dataclass(frozen=True)
class Leftover:
    """A program that a run has started."""

    pid: int
    run: Path
    command: list[str]

    @property
    def terraform(self) -> bool:
        return Path(self.command[0]).name == "terraform"

    @property
    def shared_connection(self) -> bool:
        """Whether it is SSH keeping a connection for the next task: it ends by itself, and harms nobody until then."""
        return self.command[0].startswith("ssh:")

    @property
    def alive(self) -> bool:
        """Whether it still is that program; a zombie is not."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return False
        return state != "Z" and _command(self.pid) == self.command


def find(runs: Path) -> list[Leftover]:
    """Programs of runs below ``runs`` that are there. Needs /proc: empty elsewhere."""
    found = []
    mark = f"{process.MARK}={runs}{os.sep}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            values = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        run = next((Path(value.decode().partition("=")[2]) for value in values if value.startswith(mark)), None)
        command = _command(int(folder.name))
        if run and command and int(folder.name) != os.getpid():
            found.append(Leftover(int(folder.name), run, command))
    return [leftover for leftover in found if leftover.alive]


def named(name: str) -> dict[int, list[str]]:
    """The command lines of this machine's processes whose program is called that. Needs /proc: empty elsewhere."""
    commands = {int(folder.name): _command(int(folder.name)) for folder in Path("/proc").glob("[0-9]*")}
    return {pid: command for pid, command in commands.items() if command and Path(command[0]).name == name}


def variable(pid: int, name: str) -> str | None:
    """A variable of another process; None when it has none, or can't be asked."""
    try:
        values = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    return next(
        (v.decode(errors="replace").partition("=")[2] for v in values if v.startswith(f"{name}=".encode())), None
    )


def directory(pid: int) -> str:
    """Where another process works; empty when it can't be asked."""
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def _command(pid: int) -> list[str]:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return []
    return [part.decode(errors="replace") for part in raw.split(b"\0") if part]


def end(leftover: Leftover, patience: float = 10.0) -> None:
    """End a program, at first politely.

    :param patience: seconds until it is killed
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(leftover.pid, number)
        deadline = time.monotonic() + patience
        while leftover.alive and time.monotonic() < deadline:
            time.sleep(process.POLL)
        if not leftover.alive:
            return
