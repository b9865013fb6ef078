# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Configuration files and stores that a running service watches. Private to this collection; imports nothing from ansible.

What ``_private_file`` does, and ownership: the new file has its owner and mode before it takes the old one's place, so
that a service which reloads on a change can always read it.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import stat
import tempfile
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils._private_file import FileError, read

__all__ = ["Attributes", "FileError", "attributes", "differs", "read", "read_secret", "wanted", "write"]


@dataclass(frozen=True)
class Attributes:
    """Owner, group and permission bits of a file."""

    uid: int
    gid: int
    mode: int

    def described(self) -> dict[str, str]:
        """For a diff: ``{"owner", "group", "mode"}`` by name where there is one."""
        return {
            "owner": _name(pwd.getpwuid, self.uid),
            "group": _name(grp.getgrgid, self.gid),
            "mode": f"{self.mode:04o}",
        }


def _name(lookup: object, number: int) -> str:
    try:
        return str(lookup(number)[0])  # type: ignore[operator]
    except KeyError:
        return str(number)


def attributes(path: str) -> Attributes | None:
    """Those of the path itself, links not followed; None when there is nothing."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return None
    return Attributes(found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode))


def wanted(path: str, owner: str | None, group: str | None, mode: str | None, default: int = 0o600) -> Attributes:
    """What the file shall have: as asked, else as it is, else the caller's own identity and the default mode.

    :raises FileError: an owner or group that does not exist, or a mode that is not octal
    """
    now = attributes(path) or Attributes(os.geteuid(), os.getegid(), default)
    uid, gid, bits = now.uid, now.gid, now.mode
    try:
        if owner is not None:
            uid = int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
        if group is not None:
            gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise FileError(f"{path}: {error.args[0]}; create it first") from error
    if mode is not None:
        if not re.fullmatch(r"0?[0-7]{3}", mode):
            raise FileError(f'{path}: mode {mode!r} is not octal permission bits; write it in quotes, such as "0640"')
        bits = int(mode, 8)
    return Attributes(uid, gid, bits)


def differs(path: str, content: bytes, target: Attributes) -> bool:
    """Whether write() would change anything."""
    return read(path) != content or attributes(path) != target


def write(path: str, content: bytes, target: Attributes) -> None:
    """Replace the file at once: a reader sees the old content or the new one, with the target's owner and mode.

    :raises FileError: the path is a symbolic link or no regular file, or cannot be written; nothing is left behind then
    """
    read(path)  # refuses links and devices
    directory, name = os.path.split(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    except OSError as error:
        raise FileError(f"{directory} cannot be written to: {error.strerror}") from error
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            now = os.fstat(stream.fileno())
            if (now.st_uid, now.st_gid) != (target.uid, target.gid):
                os.fchown(stream.fileno(), target.uid, target.gid)
            os.fchmod(stream.fileno(), target.mode)
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def read_secret(path: str) -> str:
    """The one line of a file that holds a secret, without its line break.

    :raises FileError: missing, empty, not text, or more than one line; the message never quotes the content
    """
    content = read(path)
    if content is None:
        raise FileError(f"{path} does not exist; it must hold the secret in one line")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8 text") from error
    lines = text.splitlines()
    if len(lines) != 1 or not lines[0]:
        raise FileError(f"{path} must hold the secret in exactly one line; it has {len(lines)}")
    return lines[0]
