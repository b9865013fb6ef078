"""Puts NiFi's archive, which hosts install, into an environment's artifacts bucket as soon as Terraform has made that.

On AWS hosts fetch it from where it is published. It is put there once for each life of the bucket: one that is being
emptied to be deleted must stay empty.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rehearsal.accounts import AccountSession, Opened
from rehearsal.processes import write_json

LOOK_SECONDS = 2.0
PART = 32 * 1024 * 1024


class Uploads:
    """What was uploaded where, kept in `folder`/uploads.json."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "uploads.json"
        self._looked: dict[str, float] = {}

    def reconcile(self, opened: Opened, session: AccountSession) -> list[str]:
        """Upload the account's archives if their bucket is there and has not had them yet; returns what was done."""
        if not opened.archives or time.monotonic() - self._looked.get(opened.env, 0.0) < LOOK_SECONDS:
            return []
        self._looked[opened.env] = time.monotonic()
        s3 = session.client("s3")
        made = {bucket["Name"]: str(bucket["CreationDate"]) for bucket in s3.list_buckets()["Buckets"]}
        born = made.get(opened.bucket)
        mark = f"{born} {json.dumps(dict(opened.archives), sort_keys=True)}"
        if born is None or self._done().get(opened.bucket) == mark:
            return []
        said = []
        for key, path in opened.archives.items():
            began = time.monotonic()
            if not _there(s3, opened.bucket, key, path):
                _upload(s3, opened.bucket, key, path)
                said.append(f"s3://{opened.bucket}/{key}: uploaded in {time.monotonic() - began:.1f} s")
        write_json(self._file, self._done() | {opened.bucket: mark})
        return said

    def forget(self, opened: Opened) -> None:
        """Look again whether the archives are there: at the start of each run."""
        done = self._done()
        if done.pop(opened.bucket, None):
            write_json(self._file, done)

    def _done(self) -> dict[str, str]:
        try:
            return dict(json.loads(self._file.read_text()))
        except (OSError, ValueError):
            return {}


def _there(s3: Any, bucket: str, key: str, path: str) -> bool:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key).get("Contents", [])
    size = Path(path).stat().st_size
    return any(item["Key"] == key and item["Size"] == size for item in found)


def _upload(s3: Any, bucket: str, key: str, path: str) -> None:
    from boto3.s3.transfer import TransferConfig

    settings = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=2)
    s3.upload_file(path, bucket, key, Config=settings)
