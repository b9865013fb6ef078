# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files are replaced at once, keep or get their attributes, and links are not followed."""

from __future__ import annotations

import os

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _files


def test_new_file_is_private(tmp_path) -> None:
    path = str(tmp_path / "keystore.p12")
    _files.write(path, b"content", _files.wanted(path, None, None, None))
    assert _files.read(path) == b"content"
    assert _files.attributes(path).mode == 0o600
    assert os.listdir(tmp_path) == ["keystore.p12"]


def test_existing_attributes_stay_unless_asked(tmp_path) -> None:
    path = tmp_path / "nifi.properties"
    path.write_text("old")
    path.chmod(0o640)
    assert _files.wanted(str(path), None, None, None).mode == 0o640
    target = _files.wanted(str(path), None, None, "0600")
    assert _files.differs(str(path), b"old", target)
    _files.write(str(path), b"old", target)
    assert not _files.differs(str(path), b"old", target)


def test_a_reader_keeps_the_old_file(tmp_path) -> None:
    path = tmp_path / "store"
    path.write_bytes(b"old")
    with open(path, "rb") as reader:
        _files.write(str(path), b"new", _files.wanted(str(path), None, None, None))
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_links_are_refused(tmp_path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("kept")
    link.symlink_to(target)
    with pytest.raises(_files.FileError, match="symbolic link"):
        _files.write(str(link), b"new", _files.wanted(str(link), None, None, "0600"))
    assert target.read_text() == "kept"


def test_nothing_is_left_when_writing_fails(tmp_path) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(_files.FileError):
        _files.write(str(tmp_path / "directory"), b"new", _files.Attributes(os.geteuid(), os.getegid(), 0o600))
    with pytest.raises(_files.FileError, match="cannot be written to"):
        _files.write(str(tmp_path / "none" / "file"), b"new", _files.Attributes(os.geteuid(), os.getegid(), 0o600))
    assert os.listdir(tmp_path) == ["directory"]


@pytest.mark.parametrize(
    ("owner", "group", "mode", "text"),
    [
        ("no-such-owner", None, None, "no-such-owner"),
        (None, "no-such-group", None, "no-such-group"),
        (None, None, "rw", "octal"),
    ],
)
def test_errors_name_the_value(tmp_path, owner, group, mode, text) -> None:
    with pytest.raises(_files.FileError, match=text):
        _files.wanted(str(tmp_path / "file"), owner, group, mode)


@pytest.mark.parametrize("content", [b"", b"\n", b"one\ntwo\n", b"\xff\xfe"])
def test_a_secret_is_one_line_and_never_quoted(tmp_path, content: bytes) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(_files.FileError) as caught:
        _files.read_secret(str(path))
    assert "one\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_secret_is_read_without_its_line_break(tmp_path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret with space \n")
    assert _files.read_secret(str(path)) == "s3cret with space "
