"""Keeps Iceberg tables small and quick: compacts files, forgets old snapshots, removes files that no table knows.

Safe beside running jobs: snapshots and orphans younger than the given days stay. In this order, so that what compaction
replaces goes with its snapshots at a later time, and nothing that a query may still read goes now.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from typing import Any

import lake
from pyspark.sql import Row, SparkSession


def parser() -> argparse.ArgumentParser:
    one = lake.arguments(__doc__ or "", days=False)
    one.add_argument(
        "--tables", nargs="+", default=list(lake.TABLES), metavar="LAYER.NAME", help="tables (default: all)"
    )
    one.add_argument("--snapshot-days", type=int, default=7, help="days that snapshots are kept (default: 7)")
    one.add_argument("--keep-snapshots", type=int, default=10, help="snapshots that are kept at least (default: 10)")
    one.add_argument("--orphan-days", type=int, default=3, help="days that unknown files are kept (default: 3)")
    return one


def job(spark: SparkSession, given: argparse.Namespace) -> dict[str, Any]:
    if given.orphan_days < 1:
        # Iceberg's own limit: a job that writes at this moment has files that no snapshot knows yet.
        raise lake.LakeError(
            f"--orphan-days {given.orphan_days}: files of running jobs would be removed; give 1 or more"
        )
    return {"tables": {one: keep(spark, given, one) for one in given.tables}}


def keep(spark: SparkSession, given: argparse.Namespace, name: str) -> dict[str, int]:
    """Maintain one table; what was done, as numbers."""
    table = lake.table(given, *lake.layer_and_name(name)).split(".", 1)[1]

    def call(procedure: str, extra: str = "") -> list[Row]:
        return list(spark.sql(f"call {given.catalog}.system.{procedure}(table => '{table}'{extra})").collect())

    compacted = call(
        "rewrite_data_files", ", options => map('min-input-files', '5', 'remove-dangling-deletes', 'true')"
    )
    call("rewrite_manifests")
    expired = call(
        "expire_snapshots", f", older_than => {_before(given.snapshot_days)}, retain_last => {given.keep_snapshots}"
    )
    orphans = call("remove_orphan_files", f", older_than => {_before(given.orphan_days)}")
    return {
        "files_compacted": compacted[0]["rewritten_data_files_count"],
        "files_expired": expired[0]["deleted_data_files_count"],
        "orphans_removed": len(orphans),
    }


def _before(days: int) -> str:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S}'"


if __name__ == "__main__":
    sys.exit(lake.main("maintenance", parser(), job))
