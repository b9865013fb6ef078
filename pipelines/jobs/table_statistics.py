"""Computes statistics of the lake's tables for those who query them, where the tables have changed since then."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import lake
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def parser() -> argparse.ArgumentParser:
    one = lake.arguments(__doc__ or "", days=False)
    one.add_argument(
        "--tables", nargs="+", default=list(lake.TABLES), metavar="LAYER.NAME", help="tables (default: all)"
    )
    return one


def job(spark: SparkSession, given: argparse.Namespace) -> dict[str, Any]:
    found = {}
    for one in given.tables:
        table = lake.table(given, *lake.layer_and_name(one))
        rows = spark.sql(f"call {given.catalog}.system.compute_table_stats('{table.split('.', 1)[1]}')").collect()
        totals = spark.table(f"{table}.files").agg(
            F.count("*").alias("files"), F.sum("record_count").alias("rows"), F.sum("file_size_in_bytes").alias("bytes")
        )
        found[one] = {**totals.collect()[0].asDict(), "computed": bool(rows)}
    return {"tables": found}


if __name__ == "__main__":
    sys.exit(lake.main("table_statistics", parser(), job))
