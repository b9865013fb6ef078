"""Bronze → silver: what came in on given ingest dates, with types, each flight once, merged into `ENV_silver.flights`.

A second run over the same days writes nothing. An older delivery never replaces a newer one.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import lake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# By month, not by day: some hundred flights are a file too small for anybody who reads more than one day.
CREATE = """
create table if not exists {table} (
  flight_date date not null comment 'day of the scheduled departure, local time',
  carrier string not null comment 'IATA code of the carrier',
  tailnum string, origin string, dest string,
  flight int not null, sched_dep_time int not null comment 'HHMM, local time',
  dep_time int comment 'HHMM; none when the flight was cancelled',
  dep_delay int comment 'minutes, negative when early',
  sched_arr_time int, arr_time int, arr_delay int, air_time int comment 'minutes', distance int comment 'miles',
  cancelled boolean not null,
  ingest_date date not null comment 'when the row that counts came in',
  source_file string not null, source_time timestamp not null)
using iceberg partitioned by (months(flight_date))
tblproperties ('format-version' = '2', 'write.merge.mode' = 'copy-on-write')
"""
MERGE = """
merge into {table} t using changes s on {same}
when matched then update set *
when not matched then insert *
"""


def job(spark: SparkSession, given: argparse.Namespace) -> dict[str, Any]:
    first, last = lake.days(given)
    rows = lake.flights(lake.read_bronze(spark, given.bronze, first, last)).persist()
    usable = rows.where("problem is null").drop("problem")
    table = lake.table(given, "silver", "flights")
    spark.sql(CREATE.format(table=table))
    changes = changed(usable, spark.table(table)).persist()
    count = changes.count()
    if count:
        changes.createOrReplaceTempView("changes")
        same = " and ".join(f"t.{name} = s.{name}" for name in lake.KEY)
        spark.sql(MERGE.format(table=table, same=same))
    lake.keep_statistics(spark, table)
    read = rows.count()
    return {
        "table": table,
        "first_day": first,
        "last_day": last,
        "read": read,
        "unusable": read - usable.count(),
        "written": count,
    }


def changed(rows: DataFrame, silver: DataFrame) -> DataFrame:
    """The newest row of each flight that silver does not have yet, or has from an older delivery."""
    days = rows.select("flight_date").distinct()
    known = silver.join(F.broadcast(days), "flight_date", "left_semi").select(
        *lake.KEY, F.struct("source_time", "source_file").alias("known")
    )
    joined = lake.newest(rows).join(known, list(lake.KEY), "left")
    news = F.col("known").isNull() | (F.struct("source_time", "source_file") > F.col("known"))
    return joined.where(news).select(*silver.columns)


if __name__ == "__main__":
    sys.exit(lake.main("bronze_to_silver", lake.arguments(__doc__ or "", bronze=True), job))
