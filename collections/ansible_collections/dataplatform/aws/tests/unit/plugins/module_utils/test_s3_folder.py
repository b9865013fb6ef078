# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A folder of a bucket follows a local one, by content."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _s3_folder


class Bucket:
    """S3, as far as it takes. ETags are no checksums here, as with a KMS key."""

    def __init__(self, **keys: bytes) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.calls: list[str] = []

    def get_paginator(self, _operation: str) -> Bucket:
        return self

    def paginate(self, Bucket: str, Prefix: str) -> list[dict[str, t.Any]]:
        keys = [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)]
        return [{"Contents": keys[:1]}, {"Contents": keys[1:]}, {}]

    def head_object(self, Bucket: str, Key: str) -> dict[str, t.Any]:
        return {"Metadata": self.objects[Key][1]}

    def put_object(self, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> dict[str, t.Any]:
        self.objects[Key] = (Body, Metadata)
        self.calls.append(f"put {Key}")
        return {}

    def delete_object(self, Bucket: str, Key: str) -> dict[str, t.Any]:
        del self.objects[Key]
        self.calls.append(f"delete {Key}")
        return {}


FILES = {"daily.py": b"1", "shared/spark.py": b"2"}


def publish(bucket: Bucket, files=None, keep=(), check=False) -> _s3_folder.Changes:
    return _s3_folder.publish(bucket, "b", "dags/", files or FILES, keep, check)


def test_what_differs_is_uploaded_with_what_others_import_first() -> None:
    bucket = Bucket()
    bucket.objects["dags/"] = (b"", {})
    assert publish(bucket, check=True).uploaded == sorted(FILES)
    assert bucket.calls == []
    publish(bucket)
    assert bucket.calls == ["put dags/shared/spark.py", "put dags/daily.py"]
    again = publish(bucket)
    assert (again.uploaded, again.deleted, again.unchanged) == ([], [], sorted(FILES))
    changed = publish(bucket, {**FILES, "daily.py": b"other"})
    assert changed.uploaded == ["daily.py"]
    # somebody wrote an object by hand: it has no digest
    bucket.objects["dags/daily.py"] = (b"by hand", {})
    assert publish(bucket).uploaded == ["daily.py"]


def test_what_is_gone_is_deleted_last_and_what_belongs_to_others_stays() -> None:
    bucket = Bucket()
    for key in ("dags/", "dags/old.py", "dags/verification_1.py", "other/x.py"):
        bucket.objects[key] = (b"", {})
    changes = publish(bucket, keep=["verification_*"])
    assert changes.deleted == ["old.py"]
    assert bucket.calls[-1] == "delete dags/old.py"
    assert {"dags/", "dags/verification_1.py", "other/x.py"} <= set(bucket.objects)


def test_an_empty_folder_is_a_mistake(tmp_path) -> None:
    with pytest.raises(_s3_folder.FolderError, match="is no folder"):
        _s3_folder.local_files(tmp_path / "none")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_bytes(b"")
    with pytest.raises(_s3_folder.FolderError, match="holds no files"):
        _s3_folder.local_files(tmp_path)
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.py").write_bytes(b"1")
    (tmp_path / ".airflowignore").write_bytes(b"shared")
    assert _s3_folder.local_files(tmp_path) == {"shared/a.py": b"1", ".airflowignore": b"shared"}
