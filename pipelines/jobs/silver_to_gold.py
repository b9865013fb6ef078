"""Silver → gold: delays by day and carrier, for every flight date that the given ingest dates touched.

Touched is a flight date of which silver holds a row from these ingest dates, and one of these dates of which gold holds
something: its rows may be gone from silver. None is no error: later deliveries may have replaced all that came in then.

Whole days are computed anew from silver and compared with what gold holds: what differs is merged, what is gone is
deleted, and a second run writes nothing. The checksum over all of gold is left in the table's properties.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from typing import Any

import lake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

LATE_MINUTES = 15
"""From when on a departure counts as late (US DOT, Air Travel Consumer Report: 15 minutes or more)."""
CREATE = """
create table if not exists {table} (
  flight_date date not null, carrier string not null,
  flights bigint not null, cancelled bigint not null,
  departed_late bigint not null comment 'by 15 minutes or more',
  dep_delay_minutes bigint not null comment 'sum; early departures count negative',
  arr_delay_minutes bigint not null, distance_miles bigint not null)
using iceberg partitioned by (months(flight_date))
tblproperties ('format-version' = '2', 'write.merge.mode' = 'copy-on-write')
"""
MERGE = """
merge into {table} t using changes s on t.flight_date = s.flight_date and t.carrier = s.carrier
when matched and s.gone then delete
when matched then update set {values}
when not matched and not s.gone then insert ({names}) values ({inserted})
"""
CHECKSUM, ROWS = "dataplatform.checksum", "dataplatform.rows"


def job(spark: SparkSession, given: argparse.Namespace) -> dict[str, Any]:
    first, last = lake.days(given)
    silver = spark.table(lake.table(given, "silver", "flights"))
    table = lake.table(given, "gold", "daily_carrier_delays")
    spark.sql(CREATE.format(table=table))
    came = silver.where(F.col("ingest_date").between(first, last)).select("flight_date")
    kept = spark.table(table).where(F.col("flight_date").between(first, last)).select("flight_date")
    touched = came.union(kept).distinct().persist()
    days = touched.count()
    wanted = of_days(delays(silver), touched).persist()
    written = merge(spark, table, differences(wanted, of_days(spark.table(table), touched)))
    rows, checksum = remember(spark, table)
    lake.keep_statistics(spark, table)
    return {"table": table, "flight_dates": days, "written": written, "rows": rows, "checksum": checksum}


def delays(silver: DataFrame) -> DataFrame:
    def total(name: str) -> Any:
        return F.coalesce(F.sum(name), F.lit(0)).cast("bigint")

    return silver.groupBy("flight_date", "carrier").agg(
        F.count("*").alias("flights"),
        F.count_if("cancelled").alias("cancelled"),
        F.count_if(F.col("dep_delay") >= LATE_MINUTES).alias("departed_late"),
        total("dep_delay").alias("dep_delay_minutes"),
        total("arr_delay").alias("arr_delay_minutes"),
        total("distance").alias("distance_miles"),
    )


def of_days(rows: DataFrame, days: DataFrame) -> DataFrame:
    return rows.join(F.broadcast(days), "flight_date", "left_semi")


def differences(wanted: DataFrame, have: DataFrame) -> DataFrame:
    """Rows to write, and (`gone`) rows to delete."""
    columns = have.columns
    put = wanted.select(*columns).exceptAll(have).withColumn("gone", F.lit(False))
    gone = have.join(wanted, ["flight_date", "carrier"], "left_anti").withColumn("gone", F.lit(True))
    return put.unionByName(gone.select(*columns, "gone"))


def merge(spark: SparkSession, table: str, changes: DataFrame) -> int:
    """Returns how many rows were written or deleted."""
    changes = changes.persist()
    count = changes.count()
    if count:
        changes.createOrReplaceTempView("changes")
        names = [name for name in changes.columns if name != "gone"]
        values = ", ".join(f"{name} = s.{name}" for name in names)
        inserted = ", ".join(f"s.{name}" for name in names)
        spark.sql(MERGE.format(table=table, values=values, names=", ".join(names), inserted=inserted))
    return count


def remember(spark: SparkSession, table: str) -> tuple[int, str]:
    """Rows and checksum of the whole table, kept where they can be read without Spark."""
    gold = spark.table(table)
    lines = sorted("|".join(str(value) for value in row) for row in gold.collect())
    checksum = "sha256:" + hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()
    wanted = {CHECKSUM: checksum, ROWS: str(len(lines))}
    have = {row["key"]: row["value"] for row in spark.sql(f"show tblproperties {table}").collect()}
    if wanted.items() - have.items():
        properties = ", ".join(f"'{key}' = '{value}'" for key, value in wanted.items())
        spark.sql(f"alter table {table} set tblproperties ({properties})")
    return len(lines), checksum


if __name__ == "__main__":
    sys.exit(lake.main("silver_to_gold", lake.arguments(__doc__ or ""), job))
