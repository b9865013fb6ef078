# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lies in the lake: objects and bytes by layer, and each Iceberg table's rows as its newest snapshot counts them.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible. Reads metadata only:
Iceberg table specification, version 2, https://iceberg.apache.org/spec/#table-metadata-fields and
https://iceberg.apache.org/spec/#optional-snapshot-summary-fields.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import typing as t
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws

LAYERS = ("bronze", "silver", "gold")
# Of a bucket with more objects than this, only so many are counted: a listing brings 1,000 in each call.
COUNTED = 100_000


class LakeError(Exception):
    """The lake's metadata can't be read, or says something else than Iceberg's."""


@dataclass(frozen=True)
class Layer:
    """The content of a layer's bucket. ``complete`` is false where counting stopped at COUNTED objects."""

    objects: int
    bytes: int
    complete: bool = True


@dataclass(frozen=True)
class Table:
    """An Iceberg table as its current snapshot describes it; a table that was never written to has no snapshot."""

    name: str  # database.table
    layer: str
    rows: int
    files: int
    bytes: int
    snapshot: str | None = None
    updated: str | None = None  # RFC 3339
    summary: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)


def layer(s3: t.Any, bucket: str, prefix: str = "", limit: int = COUNTED) -> Layer:
    """Count what lies in a bucket, below a prefix."""
    objects = size = 0
    token: dict[str, str] = {}
    while True:
        page = _aws.call(s3, "list_objects_v2", Bucket=bucket, Prefix=prefix, **token)
        for entry in page.get("Contents", []):
            objects, size = objects + 1, size + int(entry["Size"])
        if not page.get("IsTruncated"):
            return Layer(objects, size)
        if objects >= limit:
            return Layer(objects, size, complete=False)
        token = {"ContinuationToken": page["NextContinuationToken"]}


def metadata(s3: t.Any, location: str) -> dict[str, t.Any]:
    """A table's metadata file.

    :param location: ``s3://BUCKET/KEY``, as the catalog has it
    :raises LakeError: it is not there, or no JSON
    """
    parts = urlsplit(location)
    try:
        body = _aws.call(s3, "get_object", Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"].read()
        if parts.path.endswith(".gz.metadata.json"):
            body = gzip.decompress(body)
        return dict(json.loads(body))
    except (_aws.AwsError, ValueError, OSError) as error:
        raise LakeError(f"{location}: no readable table metadata: {error}") from error


def describe(name: str, layer_name: str, found: t.Mapping[str, t.Any]) -> Table:
    """A table from its metadata. :raises LakeError: the current snapshot is not among the snapshots"""
    current = found.get("current-snapshot-id")
    properties = {str(key): str(value) for key, value in (found.get("properties") or {}).items()}
    if current in (None, -1):
        return Table(name, layer_name, 0, 0, 0, properties=properties)
    snapshot = next((entry for entry in found.get("snapshots", []) if entry["snapshot-id"] == current), None)
    if snapshot is None:
        raise LakeError(f"{name}: its current snapshot {current} is not in its metadata")
    summary = {str(key): str(value) for key, value in (snapshot.get("summary") or {}).items()}
    moment = dt.datetime.fromtimestamp(snapshot["timestamp-ms"] / 1000, dt.timezone.utc)
    return Table(
        name=name,
        layer=layer_name,
        # (rows that a merge-on-read delete has hidden are still counted in total-records)
        rows=int(summary.get("total-records", 0)) - int(summary.get("total-position-deletes", 0)),
        files=int(summary.get("total-data-files", 0)),
        bytes=int(summary.get("total-files-size", 0)),
        snapshot=str(current),
        updated=moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
        summary=summary,
        properties=properties,
    )


def tables(s3: t.Any, glue: t.Any, layer_name: str, database: str) -> list[Table]:
    """The Iceberg tables of a Glue database, by name. None where the database does not exist yet."""
    try:
        entries = _aws.pages(glue, "get_tables", "TableList", DatabaseName=database)
    except _aws.AwsError as error:
        if error.code == "EntityNotFoundException":
            return []
        raise
    found = []
    for entry in sorted(entries, key=lambda entry: entry["Name"]):
        location = (entry.get("Parameters") or {}).get("metadata_location")
        if location:
            found.append(describe(f"{database}.{entry['Name']}", layer_name, metadata(s3, location)))
    return found


def last_run(found: t.Sequence[Table]) -> dict[str, t.Any] | None:
    """The newest commit to any of the tables: when, where, and by which job as far as the snapshot says."""
    written = [table for table in found if table.updated]
    if not written:
        return None
    newest = max(written, key=lambda table: table.updated or "")
    job = newest.summary.get("app-name") or newest.summary.get("spark.app.id") or newest.summary.get("app-id")
    operation = newest.summary.get("operation")
    return {"at": newest.updated, "table": newest.name, "operation": operation, "job": job}


def look(s3: t.Any, glue: t.Any, platform: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The whole lake of a platform, from its document.

    :returns: each layer's ``{objects, bytes, complete}``, ``tables`` (name, layer, rows, files, bytes, snapshot,
        updated) and ``last_run``
    """
    buckets = platform["buckets"]
    layers = {name: asdict(layer(s3, buckets[name])) for name in LAYERS if name in buckets}
    databases = platform.get("processing", {}).get("databases", {})
    found = [table for name in LAYERS if name in databases for table in tables(s3, glue, name, databases[name])]
    shown = [{k: v for k, v in asdict(table).items() if k not in ("summary", "properties")} for table in found]
    return {**layers, "tables": shown, "last_run": last_run(found)}
