"""Objects that are written once: the S3 calls of the lake's NiFi processors.

At least once, with the same key on every attempt: a retry after an unclear answer finds the object that the first
attempt wrote and counts it as written. `If-None-Match: *` makes the store refuse a second object under the key, also
when two nodes try at the same time; what the object holds is told by its metadata.

Credentials, region and endpoint come from the environment and AWS's configuration file, as for every AWS client.
Runs inside NiFi (which loads this file as the module `lake_objects`), with Debian 13's boto3; knows nothing of NiFi.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LARGE = 16 * 1024 * 1024
"""Bytes above which content does not cross from NiFi's process into Python's: that takes several times its size."""

IDENTITY = "content-id"
"""Metadata by which a retry knows its own object: `sha256:HEX` of the bytes, or `etag:ETAG` of what it is a copy of."""

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9!_.*'()=/-]{0,1000}")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
CONFLICT = {"PreconditionFailed", "412"}
MISSING = {"NoSuchKey", "NotFound", "404"}


class Rejected(Exception):
    """Cannot succeed by trying again."""


@dataclass(frozen=True)
class Stored:
    """An object of the lake. `outcome` is `created`, or `present` when an earlier attempt had written it."""

    bucket: str
    key: str
    identity: str
    bytes: int
    outcome: str


@dataclass(frozen=True)
class Landed:
    """A file in the landing folder."""

    key: str
    etag: str
    bytes: int
    day: str

    @property
    def name(self) -> str:
        return self.key.rsplit("/", 1)[-1]

    def bronze_key(self, prefix: str) -> str:
        """The same for the same delivery: a file that is seen twice lands once, one that was put again lands beside it.

        That is told by the ETag, which the same content may have anew where the bucket encrypts with a KMS key.
        """
        stem, dot, suffix = self.name.partition(".")
        return f"{prefix}/ingest_date={self.day}/batch-{stem}-{self.etag[:12]}{dot}{suffix}"


def client() -> Any:
    """An S3 client that gives up early: the flow waits and retries, and holds its FlowFile meanwhile."""
    import boto3
    from botocore.config import Config

    retries = {"total_max_attempts": 2, "mode": "standard"}
    return boto3.session.Session().client(
        "s3", config=Config(connect_timeout=3, read_timeout=30, tcp_keepalive=True, retries=retries)
    )


def checked_key(key: str | None) -> str:
    """:raises Rejected: a key that S3 or a later reader would stumble over"""
    if not key or not KEY.fullmatch(key) or ".." in key or "//" in key:
        raise Rejected(f"object key {key!r} is not of letters, digits and !_.*'()=/-, without .. and //")
    return key


def put_bytes(s3: Any, bucket: str, key: str, body: bytes, content_type: str | None = None) -> Stored:
    """Write an object in one request, with a SHA-256 that the store checks.

    :raises Rejected: the key holds other content
    """
    digest = hashlib.sha256(body)
    identity = f"sha256:{digest.hexdigest()}"
    optional = {"ContentType": content_type} if content_type else {}
    try:
        s3.put_object(
            Bucket=bucket,
            Key=checked_key(key),
            Body=body,
            ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
            Metadata={IDENTITY: identity},
            IfNoneMatch="*",
            **optional,
        )
    except s3.exceptions.ClientError as error:
        if error_code(error) not in CONFLICT:
            raise
        return _already(s3, bucket, key, identity, len(body))
    return Stored(bucket, key, identity, len(body), "created")


def put_file(s3: Any, bucket: str, key: str, path: Path, content_type: str | None = None) -> Stored:
    """Write a large object from a file, in parts with a SHA-256 each. :raises Rejected: the key holds other content"""
    with path.open("rb") as file:
        identity = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    size = path.stat().st_size
    if _head(s3, bucket, checked_key(key)) is not None:
        return _already(s3, bucket, key, identity, size)
    extra = {"ChecksumAlgorithm": "SHA256", "Metadata": {IDENTITY: identity}}
    if content_type:
        extra["ContentType"] = content_type
    s3.upload_file(str(path), bucket, key, ExtraArgs=extra, Config=_parts())
    return Stored(bucket, key, identity, size, "created")


def copy(s3: Any, source_bucket: str, source: Landed, bucket: str, key: str) -> Stored:
    """Have the store copy a large object; nothing passes through here. :raises Rejected: the key holds other content"""
    identity = f"etag:{source.etag}"
    if _head(s3, bucket, checked_key(key)) is not None:
        return _already(s3, bucket, key, identity, source.bytes)
    extra = {"MetadataDirective": "REPLACE", "Metadata": {IDENTITY: identity}}
    # CopySourceIfMatch cannot be given to a copy in parts: a file that is replaced meanwhile shows as another size.
    s3.copy({"Bucket": source_bucket, "Key": source.key}, bucket, key, ExtraArgs=extra, Config=_parts())
    return Stored(bucket, key, identity, source.bytes, "created")


def landed(s3: Any, bucket: str, prefix: str) -> Iterator[Landed]:
    """The files below a landing folder, by name."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith("/") or not entry["Size"]:
                continue
            day = day_of(entry["Key"].rsplit("/", 1)[-1], entry["LastModified"])
            yield Landed(entry["Key"], entry["ETag"].strip('"'), entry["Size"], day)


def day_of(name: str, arrived: dt.datetime) -> str:
    """The day in a file's name, else the one it arrived; also where what looks like a day is none (2013-02-30)."""
    for found in DAY.findall(name):
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(found).isoformat()
    return arrived.strftime("%Y-%m-%d")


def exists(s3: Any, bucket: str, key: str) -> bool:
    return _head(s3, bucket, key) is not None


def error_code(error: Exception) -> str:
    """S3's own code of a failed call."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def spool_file(folder: str | None, name: str | None) -> Path | None:
    """The file that the flow wrote beforehand.

    None when there is none, also when an attempt that was killed has removed it: the FlowFile still has its content.
    """
    if not folder or not name:
        return None
    path = Path(folder) / Path(name).name
    return path if path.is_file() else None


def remove(path: Path) -> None:
    """Forget a spool file. One that stays behind costs disk, not data."""
    try:
        os.unlink(path)
    except OSError:
        return


def _already(s3: Any, bucket: str, key: str, identity: str, size: int) -> Stored:
    found = _head(s3, bucket, key) or {}
    if found.get("Metadata", {}).get(IDENTITY) != identity:
        raise Rejected(f"s3://{bucket}/{key} holds other content")
    return Stored(bucket, key, identity, size, "present")


def _head(s3: Any, bucket: str, key: str) -> Mapping[str, Any] | None:
    try:
        return dict(s3.head_object(Bucket=bucket, Key=key))
    except s3.exceptions.ClientError as error:
        if error_code(error) in MISSING:
            return None
        raise


def _parts() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=LARGE, multipart_chunksize=LARGE, max_concurrency=4)
