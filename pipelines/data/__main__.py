"""Real flights for trying things out.

    python -m pipelines.data files DIR [--days 2013-01-01,2013-01-02]   # one CSV file a day
    python -m pipelines.data upload BUCKET [--days …]                   # the same, into s3://BUCKET/landing/flights/
    python -m pipelines.data expected [--days …]                        # what must be in each layer afterwards, as JSON

`upload` takes credentials, region and endpoint from the environment, as every AWS client does, and writes what differs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.data import flights
from pipelines.data.expected import expected

PREFIX = "landing/flights/"


def write(files: Iterator[tuple[str, bytes]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for day, content in files:
        path = folder / f"{day}.csv"
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)


def upload(files: Iterator[tuple[str, bytes]], bucket: str, prefix: str, s3: Any) -> int:
    """Put files that are not there with the same content. Returns how many.

    A file that is put again gets another ETag where the bucket encrypts with a KMS key, and would land again.
    """
    uploaded = 0
    for day, content in files:
        key, digest = f"{prefix}{day}.csv", hashlib.sha256(content).hexdigest()
        if _digest(s3, bucket, key) != digest:
            metadata = {"sha256": digest}
            s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType="text/csv", Metadata=metadata)
            uploaded += 1
    return uploaded


def _digest(s3: Any, bucket: str, key: str) -> str | None:
    try:
        found = s3.head_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
            return None
        raise
    value: str | None = found["Metadata"].get("sha256")
    return value


def parser() -> argparse.ArgumentParser:
    one = argparse.ArgumentParser(prog="python -m pipelines.data", description="Real flights for trying things out.")
    commands = one.add_subparsers(dest="command", required=True)
    for name, target in (("files", "folder"), ("upload", "bucket"), ("expected", None)):
        command = commands.add_parser(name)
        if target:
            command.add_argument(target)
        if name == "upload":
            command.add_argument("--prefix", default=PREFIX, help=f"folder in the bucket (default: {PREFIX})")
        command.add_argument("--days", default="", help="days as YYYY-MM-DD, separated by commas (default: all)")
    return one


def main(arguments: list[str] | None = None) -> int:
    given = parser().parse_args(arguments)
    try:
        files = flights.days(flights.source(), [day for day in given.days.split(",") if day])
        if given.command == "files":
            write(files, Path(given.folder))
        elif given.command == "upload":
            import boto3

            print(upload(files, given.bucket, given.prefix, boto3.client("s3")), "files uploaded")
        else:
            print(json.dumps(expected(files), indent=1))
    except flights.DataError as error:
        print(f"pipelines.data: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
