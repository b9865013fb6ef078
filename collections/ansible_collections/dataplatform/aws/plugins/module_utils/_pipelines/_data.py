# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The data of a verification on its way: files into the landing folder, then what each layer made of them.

Private to this collection. What each layer should hold comes from outside: it was computed from the same files without
the platform.
"""

from __future__ import annotations

import csv
import hashlib
import io
import typing as t
from pathlib import Path

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _lake
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

CHECKSUM = "dataplatform.checksum"  # a property of the gold table, or of its newest snapshot


def upload(s3: t.Any, landing: tuple[str, str], bronze_at: tuple[str, str], folder: Path) -> list[str]:
    """Put files into the landing folder that are not there yet, or differ.

    A file that left it after it had reached bronze stays away: under another ETag it would land a second time.

    :param landing: bucket and prefix; ``bronze_at``: the same of the data set in bronze
    :returns: the names of those that were put
    """
    entries = _aws.pages(s3, "list_objects_v2", "Contents", Bucket=landing[0], Prefix=landing[1])
    there = {entry["Key"]: int(entry["Size"]) for entry in entries}
    absent = set(lacking(s3, bronze_at, folder))
    waiting = [path for path in _files(folder) if landing[1] + path.name in there or path.name in absent]
    return [name for name in _aws.in_parallel(lambda path: _put(s3, *landing, path, there), waiting) if name]


def lacking(s3: t.Any, bronze_at: tuple[str, str], folder: Path) -> list[str]:
    """The names of the files that bronze does not hold: not landed yet, or expired."""
    arrived = {(day, size) for day, _key, size in batches(s3, *bronze_at)}
    return [path.name for path in _files(folder) if (day_of(path), path.stat().st_size) not in arrived]


def _put(s3: t.Any, bucket: str, prefix: str, path: Path, there: t.Mapping[str, int]) -> str | None:
    key, body = prefix + path.name, path.read_bytes()
    identity = hashlib.sha256(body).hexdigest()
    if there.get(key) == len(body):
        # (an ETag is no hash of the content in a bucket that is encrypted with a KMS key)
        found = _aws.call(s3, "head_object", Bucket=bucket, Key=key)
        if found["Metadata"].get("sha256") == identity:
            return None
    _aws.call(s3, "put_object", Bucket=bucket, Key=key, Body=body, Metadata={"sha256": identity})
    return path.name


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def days(folder: Path) -> dict[str, int]:
    """Day → rows, of files named ``YYYY-MM-DD.csv``."""
    return {day_of(path): rows(path.read_bytes()) for path in _files(folder)}


def day_of(path: Path) -> str:
    """The day in a landing file's name."""
    return path.stem[-10:]


def content(folder: Path) -> str:
    """A hash of names and contents of the landing files."""
    digest = hashlib.sha256()
    for path in _files(folder):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def rows(body: bytes) -> int:
    """The records of a CSV file with a header."""
    return max(0, sum(1 for _row in csv.reader(io.StringIO(body.decode()))) - 1)


def batches(s3: t.Any, bucket: str, prefix: str) -> list[tuple[str, str, int]]:
    """Ingest date, key and size of every object that a landing file became in bronze."""
    found = []
    for entry in _aws.pages(s3, "list_objects_v2", "Contents", Bucket=bucket, Prefix=f"{prefix}/ingest_date="):
        day, _slash, name = entry["Key"].removeprefix(f"{prefix}/ingest_date=").partition("/")
        if name.startswith("batch-"):
            found.append((day, entry["Key"], int(entry["Size"])))
    return found


def bronze(s3: t.Any, bucket: str, prefix: str, wanted: t.Collection[str]) -> dict[str, list[int]]:
    """The rows of each such object of the days wanted, by ingest date."""
    keys = [(day, key) for day, key, _size in batches(s3, bucket, prefix) if day in wanted]
    counted = _aws.in_parallel(lambda item: (item[0], _object_rows(s3, bucket, item[1])), keys)
    found: dict[str, list[int]] = {day: [] for day in wanted}
    for day, count in counted:
        found[day].append(count)
    return found


def _object_rows(s3: t.Any, bucket: str, key: str) -> int:
    return rows(_aws.call(s3, "get_object", Bucket=bucket, Key=key)["Body"].read())


def check_bronze(s3: t.Any, bucket: str, prefix: str, landed: t.Mapping[str, int], keep: dict[str, t.Any]) -> Outcome:
    """Every landing file is in bronze once, with all its rows: nothing lost, nothing doubled."""
    found = bronze(s3, bucket, prefix, landed)
    keep["rows"] = sum(sum(counts) for counts in found.values())
    missing = [day for day in landed if not found[day]]
    doubled = [day for day in landed if len(found[day]) > 1]
    short = [day for day in landed if len(found[day]) == 1 and found[day] != [landed[day]]]
    if missing or doubled or short:
        parts = [("missing", missing), ("more than once", doubled), ("with other rows", short)]
        said = "; ".join(f"{len(of)} {word} (such as {of[0]})" for word, of in parts if of)
        raise CheckFailed(f"{keep['rows']} rows; of {len(landed)} days {said}", "look at NiFi's queues and bulletins")
    return Outcome(f"{len(landed)} objects, {keep['rows']} rows")


def gold_and_silver(s3: t.Any, glue: t.Any, databases: t.Mapping[str, str]) -> dict[str, _lake.Table]:
    """The two tables of the flights, by layer."""
    names = {"silver": "flights", "gold": "daily_carrier_delays"}
    found = {}
    for layer, name in names.items():
        full = f"{databases[layer]}.{name}"
        tables = _lake.tables(s3, glue, layer, databases[layer])
        table = next((table for table in tables if table.name == full), None)
        if table:
            found[layer] = table
    return found


def check_rows(tables: t.Mapping[str, _lake.Table], layer: str, expected: int) -> Outcome:
    """The table has as many rows as were computed independently."""
    table = tables.get(layer)
    if table is None:
        raise CheckFailed(f"there is no {layer} table", "look at the Spark job's log")
    if table.rows != expected:
        raise CheckFailed(f"{table.rows} rows", f"look at snapshot {table.snapshot} of {table.name}")
    return Outcome(f"{table.rows} rows")


def checksum(table: _lake.Table | None) -> str | None:
    """What the gold job computed over all rows that it left in the table."""
    return (table.summary.get(CHECKSUM) or table.properties.get(CHECKSUM)) if table else None


def check_checksum(tables: t.Mapping[str, _lake.Table], expected: str) -> Outcome:
    """Gold's content is what was computed independently."""
    found = checksum(tables.get("gold"))
    if found != expected:
        raise CheckFailed(found or "the table has no checksum", "compare gold with the independent computation by day")
    return Outcome(found)
