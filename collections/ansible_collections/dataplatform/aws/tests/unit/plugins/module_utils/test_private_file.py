"""Secret files: readable by their owner only, replaced at once, never through a link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _private_file


def test_a_file_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert _private_file.write(str(path), b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not _private_file.write(str(path), b"one")
    path.chmod(0o644)
    assert _private_file.write(str(path), b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    inode = path.stat().st_ino
    assert _private_file.write(str(path), b"two", 0o640)
    assert path.stat().st_ino != inode
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"two", 0o640)
    assert os.listdir(tmp_path) == ["key"]


def test_links_and_other_things_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(_private_file.FileError, match="symbolic link"):
        _private_file.write(str(link), b"secret")
    assert target.read_text() == "kept"
    with pytest.raises(_private_file.FileError):
        _private_file.write(str(tmp_path), b"secret")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(_private_file.FileError, match="not a regular file"):
        _private_file.read(str(tmp_path / "pipe"))


def test_nothing_is_left_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(_private_file.FileError, match="No space left"):
        _private_file.write(str(tmp_path / "key"), b"secret")
    assert os.listdir(tmp_path) == []
    with pytest.raises(_private_file.FileError, match="cannot be written to"):
        _private_file.write(str(tmp_path / "nowhere" / "key"), b"secret")


def test_folders_are_for_their_owner(tmp_path: Path) -> None:
    path = tmp_path / "made"
    assert _private_file.ensure_directory(str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert not _private_file.ensure_directory(str(path))
    assert _private_file.read(str(path / "none")) is None
    assert _private_file.mode_of(str(path / "none")) is None
