"""What the Spark jobs share: arguments, names of tables, reading bronze, and reporting.

Catalogs, endpoints and sizes are Spark's own settings, given by whoever submits the job (`--conf`); a job knows its
arguments only. What an operator can act on is a LakeError: text on standard error, and exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

COLUMNS = (
    "year",
    "month",
    "day",
    "dep_time",
    "sched_dep_time",
    "dep_delay",
    "arr_time",
    "sched_arr_time",
    "arr_delay",
    "carrier",
    "flight",
    "tailnum",
    "origin",
    "dest",
    "air_time",
    "distance",
    "hour",
    "minute",
    "time_hour",
)
"""A flight in bronze, all of it text: bronze keeps what came."""

TEXTS = ("carrier", "tailnum", "origin", "dest")
NUMBERS = (
    "flight",
    "sched_dep_time",
    "dep_time",
    "dep_delay",
    "sched_arr_time",
    "arr_time",
    "arr_delay",
    "air_time",
    "distance",
)
KEY = ("flight_date", "carrier", "flight", "sched_dep_time")
"""What makes a flight the same flight. In the data of 2013 no two share it."""

TABLES = ("silver.flights", "gold.daily_carrier_delays")
FEW_FOLDERS = 7
"""Ingest dates up to which bronze is looked at by folder, and not as a whole."""
UNREADABLE = "unreadable"
MISSING = ("", "NA")


class LakeError(Exception):
    """The job cannot do its work, or found that it must not go on."""


def main(
    name: str, parser: argparse.ArgumentParser, job: Callable[[SparkSession, argparse.Namespace], dict[str, Any]]
) -> int:
    """Run a job; print its result as one line of JSON. Returns the exit code."""
    arguments = parser.parse_args()
    # A day is a day everywhere, whatever the machine's zone.
    spark = SparkSession.builder.appName(name).config("spark.sql.session.timeZone", "UTC").getOrCreate()
    try:
        report(name, **job(spark, arguments))
    except LakeError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    finally:
        spark.stop()
    return 0


def report(name: str, **facts: Any) -> None:
    print(json.dumps({"job": name, **facts}, default=str), flush=True)


def arguments(description: str, *, bronze: bool = False, days: bool = True) -> argparse.ArgumentParser:
    """The arguments that jobs have in common."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--env", required=True, type=_identifier, help="environment, part of the databases' names")
    parser.add_argument("--catalog", default="glue", type=_identifier, help="Spark's name of the catalog")
    if days:
        parser.add_argument(
            "--first-day", required=True, type=dt.date.fromisoformat, help="first ingest date, YYYY-MM-DD"
        )
        parser.add_argument("--last-day", type=dt.date.fromisoformat, help="last ingest date (default: the first)")
    if bronze:
        parser.add_argument(
            "--bronze", required=True, help="the data set in bronze, for example s3://dl-dev-bronze/flights"
        )
    return parser


def days(given: argparse.Namespace) -> tuple[dt.date, dt.date]:
    """First and last ingest date. :raises LakeError: the last lies before the first"""
    last = given.last_day or given.first_day
    if last < given.first_day:
        raise LakeError(f"--last-day {last} lies before --first-day {given.first_day}")
    return given.first_day, last


def table(given: argparse.Namespace, layer: str, name: str) -> str:
    """`glue.dev_silver.flights`"""
    return f"{given.catalog}.{given.env}_{layer}.{_identifier(name)}"


def layer_and_name(text: str) -> tuple[str, str]:
    """`silver.flights` → its parts. :raises LakeError: it is not of two parts"""
    layer, dot, name = text.partition(".")
    if not dot or layer not in ("bronze", "silver", "gold"):
        raise LakeError(f"table {text!r} is not LAYER.NAME, such as silver.flights")
    return layer, name


def keep_statistics(spark: SparkSession, table: str) -> bool:
    """Compute statistics of what a table holds now, for those who plan queries, unless it has them.

    Whoever writes a table does this last: a job of its own would take longer to start than to compute. Data without
    statistics is good data: a conflict with another writer is told on standard error, and the next run makes up for it.
    Returns whether it has computed some.
    """
    catalog, name = table.split(".", 1)
    if has_statistics(spark, table):
        return False
    try:
        return bool(spark.sql(f"call {catalog}.system.compute_table_stats('{name}')").collect())
    except (Py4JJavaError, PySparkException) as error:
        print(f"no statistics of {table} this time: {error}", file=sys.stderr)
        return False


def has_statistics(spark: SparkSession, table: str) -> bool:
    """Whether the table's current snapshot has statistics."""
    jvm: Any = spark._jvm
    found = jvm.org.apache.iceberg.spark.Spark3Util.loadIcebergTable(spark._jsparkSession, table)
    current = found.currentSnapshot()
    return current is not None and current.snapshotId() in [one.snapshotId() for one in found.statisticsFiles()]


def read_bronze(spark: SparkSession, root: str, first: dt.date, last: dt.date) -> DataFrame:
    """All that came in between two ingest dates: COLUMNS as text, where it came from, and what could not be read.

    Files are `batch-*.csv` with a header, and `stream-*.jsonl`. :raises LakeError: nothing came in
    """
    folders = list(folders_of(spark, root, first, last).values())
    if not folders:
        raise LakeError(f"{root} has nothing for the ingest dates {first} to {last}: has NiFi landed them?")
    # Many folders are found and listed one after the other, by several requests each; a whole data set by one listing.
    places = folders if len(folders) <= FEW_FOLDERS else [root]
    texts = [StructField(name, StringType()) for name in (*COLUMNS, UNREADABLE)]
    schema = StructType([*texts, StructField("ingest_date", StringType())])
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": UNREADABLE, "basePath": root}
    # With pruned columns a row that was cut off would be as long as what is read of it, and count as whole.
    csv = {"header": True, "enforceSchema": False, "columnPruning": False, "pathGlobFilter": "batch-*.csv"}
    batches = spark.read.options(**csv, **options)
    streams = spark.read.options(pathGlobFilter="stream-*.jsonl", **options)
    found = _traced(batches.schema(schema).csv(places)).unionByName(_traced(streams.schema(schema).json(places)))
    return found.where(F.col("ingest_date").between(first, last))


def flights(bronze: DataFrame) -> DataFrame:
    """Bronze with types. `problem` says why a row cannot be used, and is null where it can."""
    values = [F.when(~F.col(name).isin(*MISSING), F.trim(name)).alias(name) for name in COLUMNS]
    text = bronze.select(*values, UNREADABLE, "source_file", "source_time", "ingest_date")
    date = F.concat_ws("-", F.lpad("year", 4, "0"), F.lpad("month", 2, "0"), F.lpad("day", 2, "0"))
    typed = text.select(
        date.try_cast("date").alias("flight_date"),
        *TEXTS,
        *(F.col(name).try_cast("int").alias(name) for name in NUMBERS),
        F.col("dep_time").isNull().alias("cancelled"),
        "ingest_date",
        "source_file",
        "source_time",
        _garbled().alias("garbled"),
        UNREADABLE,
    )
    problem = F.coalesce(
        F.when(F.col(UNREADABLE).isNotNull(), F.lit("not readable")),
        *(F.when(F.col(name).isNull(), F.lit(f"no {name}")) for name in KEY),
        F.when(F.col("garbled") != "", F.concat(F.lit("no number: "), F.col("garbled"))),
    )
    return typed.withColumn("problem", problem).drop("garbled", UNREADABLE)


def newest(rows: DataFrame) -> DataFrame:
    """One row for each flight: of several the one that came last."""
    order = F.struct("source_time", "source_file", *(F.col(name) for name in (*TEXTS, *NUMBERS)))
    ranked = rows.groupBy(*KEY).agg(F.max_by(F.struct(*rows.columns), order).alias("row"))
    return ranked.select("row.*")


def _traced(rows: DataFrame) -> DataFrame:
    return rows.select(
        *COLUMNS,
        UNREADABLE,
        F.col("ingest_date").try_cast("date").alias("ingest_date"),
        F.col("_metadata.file_path").alias("source_file"),
        F.col("_metadata.file_modification_time").alias("source_time"),
    )


def _garbled() -> Column:
    """Names of numbers that are none, as text."""
    checks = [F.when(F.col(name).isNotNull() & F.col(name).try_cast("int").isNull(), F.lit(name)) for name in NUMBERS]
    return F.concat_ws(", ", *checks)


def folders_of(spark: SparkSession, root: str, first: dt.date, last: dt.date) -> dict[dt.date, str]:
    """The folders of ingest dates that there are, in order, by one listing."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(root)
    system = path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())
    if not system.exists(path):
        return {}
    found = {}
    for status in system.listStatus(path):
        named = re.fullmatch(r"ingest_date=(\d{4}-\d{2}-\d{2})", status.getPath().getName())
        with contextlib.suppress(ValueError):  # 2013-02-30 is a folder, and no day
            if named and first <= (day := dt.date.fromisoformat(named[1])) <= last:
                found[day] = str(status.getPath())
    return dict(sorted(found.items()))


def _identifier(text: str) -> str:
    """A name that may stand in a statement as it is."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of letters, digits and _")
    return text
