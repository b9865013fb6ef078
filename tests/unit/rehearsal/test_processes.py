"""Processes are found again, never mistaken for another, and ended with what they started."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from rehearsal.errors import RehearsalError
from rehearsal.processes import Child, Identity, wait_until, write_json, write_text

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal,subprocess,time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen(['sleep', '60']); print('ready', flush=True); time.sleep(60)",
]


def test_another_supervisor_finds_the_process(tmp_path: Path) -> None:
    first = Child("one", tmp_path)
    started = first.start(SLEEPER, tmp_path)
    again = Child("one", tmp_path)
    try:
        assert again.identity == started
        assert again.start(SLEEPER, tmp_path) == started
    finally:
        assert again.stop()
    assert first.pid is None
    assert not again.stop()


def test_a_recycled_id_is_another_process(tmp_path: Path) -> None:
    child = Child("one", tmp_path)
    started = child.start(SLEEPER, tmp_path)
    try:
        write_json(child.note, {"pid": started.pid, "started": "1"})
        assert Child("one", tmp_path).pid is None
        assert not Child("one", tmp_path).stop(), "a stranger's process is left alone"
        assert started.alive
    finally:
        write_json(child.note, {"pid": started.pid, "started": started.started})
        child.stop()


def test_a_process_that_ignores_sigterm_ends_with_its_children(tmp_path: Path) -> None:
    child = Child("one", tmp_path)
    child.start(STUBBORN, tmp_path)
    assert wait_until(lambda: "ready" in child.last_words(), 10)
    group = child.pid
    assert group
    assert child.stop(2)
    assert wait_until(lambda: not _alive(group), 10)


def _alive(group: int) -> list[Path]:
    """Processes of a group that are more than an entry in the process table."""
    found = [path for path in Path("/proc").glob("[0-9]*/stat") if f" {group} {group} " in _text(path)]
    return [path for path in found if ") Z " not in _text(path)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def test_a_note_that_is_broken_means_nothing_runs(tmp_path: Path) -> None:
    child = Child("one", tmp_path)
    child.note.write_text("{")
    assert child.pid is None


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises((RehearsalError, OSError)):
        Child("one", tmp_path).start(["/nonexistent"], tmp_path)


def test_nobody_sees_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.json"
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    write_text(path, "x", 0o644)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("x", 0o644)
    assert [one.name for one in path.parent.iterdir()] == ["file.json"]


def test_no_such_process() -> None:
    assert Identity.of(2**22 + 1) is None
