# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Writing files that hold secrets. Private to this collection. Imports nothing from ansible."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile


class FileError(OSError):
    """A path that must not be written to. The message says why and what to do."""


def read(path: str) -> bytes | None:
    """The content of a regular file; None when there is none.

    :raises FileError: the path is a symbolic link, or not a regular file
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise FileError(f"{path} is not a regular file; remove it")
            return stream.read()
    except FileNotFoundError:
        return None
    except FileError:
        raise
    except OSError as error:
        if os.path.islink(path):
            raise FileError(f"{path} is a symbolic link; remove it, links are not followed") from error
        raise FileError(f"{path} cannot be read: {error.strerror}") from error


def mode_of(path: str) -> int | None:
    """Permission bits of a path, links not followed; None when there is nothing."""
    try:
        return stat.S_IMODE(os.lstat(path).st_mode)
    except FileNotFoundError:
        return None


def ensure_directory(path: str, mode: int = 0o700) -> bool:
    """Make a directory that only its owner can enter, unless there is one. Returns whether it was made."""
    if os.path.isdir(path):
        return False
    try:
        os.makedirs(path, mode=mode)
    except OSError as error:
        raise FileError(f"{path} cannot be made: {error.strerror}; name another directory") from error
    return True


def write(path: str, content: bytes, mode: int = 0o600) -> bool:
    """Replace the file at once, so that a reader sees the old content or the new one. Returns whether anything changed.

    The temporary file lies in the same directory, is never readable by others while the content is secret, and is
    removed when something fails.

    :raises FileError: the path is a symbolic link or not a regular file, or its directory cannot be written to
    """
    if read(path) == content and mode_of(path) == mode:
        return False
    directory, name = os.path.split(os.path.abspath(path))
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    except OSError as error:
        raise FileError(f"{directory} cannot be written to: {error.strerror}") from error
    try:
        with open(handle, "wb") as stream:
            stream.write(content)
            os.fchmod(stream.fileno(), mode)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return True
