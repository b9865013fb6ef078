"""Refuses to go on when what came in, or what silver made of it, cannot be right.

Each failed check is one line that names the check, what was found and what was allowed; the run fails with all of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import lake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

SHOWN = 3
"""Examples in a message."""
DELAYS = (-180, 2880)
"""Minutes that a delay may have: three hours early, two days late."""


def parser() -> argparse.ArgumentParser:
    one = lake.arguments(__doc__ or "", bronze=True)
    one.add_argument(
        "--min-rows", type=int, default=1, help="rows that each ingest date must have at least (default: 1)"
    )
    one.add_argument("--max-unusable", type=float, default=0.01, help="largest share of unusable rows (default: 0.01)")
    one.add_argument(
        "--max-cancelled", type=float, default=0.9, help="largest share of cancelled flights of a day (default: 0.9)"
    )
    return one


def job(spark: SparkSession, given: argparse.Namespace) -> dict[str, Any]:
    first, last = lake.days(given)
    bronze = lake.flights(lake.read_bronze(spark, given.bronze, first, last))
    rows = bronze.select(*lake.KEY, "ingest_date", "source_file", "problem").persist()
    silver = spark.table(lake.table(given, "silver", "flights"))
    days = rows.where("problem is null").select("flight_date").distinct()
    affected = silver.join(F.broadcast(days), "flight_date", "left_semi").persist()
    came = lake.folders_of(spark, given.bronze, first, last)
    problems = [*input_problems(rows, came, given), *silver_problems(rows, affected, given)]
    if problems:
        raise lake.LakeError("quality checks failed:\n" + "\n".join(f"- {problem}" for problem in problems))
    return {"first_day": first, "last_day": last, "rows": rows.count(), "silver_rows": affected.count(), "failed": 0}


def input_problems(rows: DataFrame, came: Iterable[dt.date], given: argparse.Namespace) -> Iterator[str]:
    """What is wrong with what came in.

    :param came: the ingest dates that have a folder in bronze, also where no row was found in it
    """
    by_day = rows.groupBy("ingest_date").agg(F.count("*").alias("rows"), F.count("problem").alias("unusable"))
    counts = dict.fromkeys(came, (0, 0)) | {day: (count, unusable) for day, count, unusable in by_day.collect()}
    for day, (count, unusable) in sorted(counts.items()):
        if count < given.min_rows:
            yield f"rows: {day} has {count} rows, expected at least {given.min_rows}"
        if unusable > given.max_unusable * count:
            bad = rows.where((F.col("ingest_date") == day) & F.col("problem").isNotNull())
            examples = [f"{one['problem']} in {one['source_file']}" for one in bad.limit(SHOWN).collect()]
            yield (
                f"unusable: {day} has {unusable} unusable rows of {count} ({unusable / count:.2%}), "
                f"allowed are {given.max_unusable:.2%}: {'; '.join(examples)}"
            )


def silver_problems(rows: DataFrame, silver: DataFrame, given: argparse.Namespace) -> Iterator[str]:
    """What is wrong with what silver holds of the days that came in."""
    keys = list(lake.KEY)
    lost = rows.where("problem is null").select(*keys).distinct().join(silver, keys, "left_anti").count()
    if lost:
        yield f"complete: {lost} flights of bronze are not in silver; run bronze_to_silver for these days again"
    doubled = silver.groupBy(*keys).count().where("count > 1")
    if examples := doubled.limit(SHOWN).collect():
        yield f"unique: silver has flights more than once, such as {_shown(examples, keys)}"
    low, high = DELAYS
    odd = silver.where(
        f"distance <= 0 or dep_delay not between {low} and {high} or arr_delay not between {low} and {high} "
        "or length(carrier) <> 2 or length(origin) <> 3 or length(dest) <> 3"
    )
    if examples := odd.limit(SHOWN).collect():
        yield f"plausible: {odd.count()} flights have values that cannot be, such as {_shown(examples, keys)}"
    cancelled = silver.groupBy("flight_date").agg(F.avg(F.col("cancelled").cast("int")).alias("share"))
    for day in cancelled.where(F.col("share") > given.max_cancelled).orderBy("flight_date").collect():
        yield f"cancelled: {day['share']:.0%} of {day['flight_date']}, allowed are {given.max_cancelled:.0%}"


def _shown(rows: list[Any], keys: list[str]) -> str:
    return "; ".join(" ".join(str(row[key]) for key in keys) for row in rows)


if __name__ == "__main__":
    sys.exit(lake.main("quality_checks", parser(), job))
