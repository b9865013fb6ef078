# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder of a bucket that holds what a local folder does, compared by content.

Each object says in its metadata what it holds: an ETag is no checksum where a bucket encrypts with a KMS key. Private to
this collection; imports nothing from ansible. ``client`` is a boto3 client of s3.
"""

from __future__ import annotations

import fnmatch
import hashlib
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws

DIGEST = "sha256"
# What Python, test runs and editors leave behind.
IGNORED = ("*.pyc", "*.swp", "*~")
IGNORED_FOLDERS = ("__pycache__", ".*_cache")


class FolderError(Exception):
    """The local folder cannot be published. The message names it."""


@dataclass
class Changes:
    """Names relative to the folder, sorted."""

    uploaded: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def local_files(folder: Path) -> dict[str, bytes]:
    """Name → content of the folder's files, and of those in folders below it.

    :raises FolderError: there is no such folder, or nothing in it, which would empty the bucket's
    """
    if not folder.is_dir():
        raise FolderError(f"{folder} is no folder")
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not _ignored(path.relative_to(folder))
    }
    if not files:
        raise FolderError(f"{folder} holds no files; nothing is published, so that nothing is deleted by mistake")
    return files


def publish(
    client: t.Any, bucket: str, prefix: str, files: Mapping[str, bytes], keep: Iterable[str], check: bool
) -> Changes:
    """Make the objects below the prefix what the files are.

    keep: patterns of names that are nobody's business here
    A file that others import, deeper in the tree, comes before them; deletions come last.
    """
    there = _objects(client, bucket, prefix)
    changes = Changes()
    for name in sorted(files, key=lambda name: (-name.count("/"), name)):
        digest = hashlib.sha256(files[name]).hexdigest()
        if name in there and _digest(client, bucket, prefix + name) == digest:
            changes.unchanged.append(name)
            continue
        changes.uploaded.append(name)
        if not check:
            metadata = {DIGEST: digest}
            _aws.call(client, "put_object", Bucket=bucket, Key=prefix + name, Body=files[name], Metadata=metadata)
    for name in sorted(there - set(files)):
        if any(fnmatch.fnmatch(name, pattern) for pattern in keep):
            continue
        changes.deleted.append(name)
        if not check:
            _aws.call(client, "delete_object", Bucket=bucket, Key=prefix + name)
    changes.uploaded.sort()
    changes.unchanged.sort()
    return changes


def _objects(client: t.Any, bucket: str, prefix: str) -> set[str]:
    """Names below the prefix. An object that stands for the folder itself is none."""
    entries = _aws.pages(client, "list_objects_v2", "Contents", Bucket=bucket, Prefix=prefix)
    found = {entry["Key"][len(prefix) :] for entry in entries}
    return {name for name in found if name and not name.endswith("/")}


def _digest(client: t.Any, bucket: str, key: str) -> str:
    return str(_aws.call(client, "head_object", Bucket=bucket, Key=key)["Metadata"].get(DIGEST, ""))


def _ignored(path: Path) -> bool:
    return _like(path.name, IGNORED) or any(_like(folder, IGNORED_FOLDERS) for folder in path.parent.parts)


def _like(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
