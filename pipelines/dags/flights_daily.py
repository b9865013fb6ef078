"""Flights of a day: NiFi lands them in bronze, Spark makes silver and gold of them.

Started by hand or as a backfill, a run may be for a range of days (`first_day`, `last_day`); without them it is for the
day of its logical date, and takes along what came late for the day before. Every task may be tried again, and a day may
be run again: what is done already stays as it is. Jobs that write a table compute its statistics too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from airflow.sdk import DAG, CronDataIntervalTimetable, Param, get_current_context, task
from dataplatform_operators import alerts, days, settings
from dataplatform_operators.bronze import BronzeSensor
from dataplatform_operators.nifi import NiFiProcessGroupOperator
from dataplatform_operators.spark import spark_job

PLATFORM = settings.load()
DATA_SET = "flights"
LANDING = f"landing/{DATA_SET}/"
DAY = {"type": ["null", "string"], "format": "date"}

with DAG(
    dag_id="flights_daily",
    description="Flights of a day, from the landing folder to gold",
    doc_md=__doc__,
    # The interval's start is the day that a run is for; it runs when that day is over and delivered.
    schedule=CronDataIntervalTimetable(PLATFORM.schedule, timezone="UTC") if PLATFORM.schedule else None,
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    # Runs share one NiFi flow and two tables: one after the other is quicker than conflicts.
    max_active_runs=1,
    deadline=alerts.late(PLATFORM),
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=10),
    },
    params={
        "first_day": Param(None, **DAY, description="First ingest date (default: the day of the logical date)"),
        "last_day": Param(None, **DAY, description="Last ingest date (default: the first)"),
        "batches": Param(
            True, type="boolean", description="Whether each day has a landing file; off: pushed records may be all"
        ),
    },
    tags=["flights", "lake"],
) as dag:

    @task(multiple_outputs=True)
    def choose_days() -> dict[str, Any]:
        """The days of this run, and what must be in bronze for them, in one place for all tasks."""
        context = get_current_context()
        first, last = days.chosen(context["params"], context["dag_run"].logical_date)
        s3 = boto3.client("s3", region_name=PLATFORM.region)
        landed = days.landing(s3, PLATFORM.landing_bucket, LANDING, first, last)
        return {
            "first": days.read_from(context["params"], first).isoformat(),
            "last": last.isoformat(),
            "keys": days.bronze_keys(landed, DATA_SET, first, last, context["params"]["batches"]),
        }

    chosen = choose_days()
    ingest_dates = ["--first-day", chosen["first"], "--last-day", chosen["last"]]
    bronze = ["--bronze", f"s3://{PLATFORM.bronze_bucket}/{DATA_SET}"]

    land_with_nifi = NiFiProcessGroupOperator(
        task_id="land_with_nifi",
        nifi_url=PLATFORM.nifi_url,
        group="flights-batch",
        trigger_role_arn=PLATFORM.nifi_trigger_role_arn,
        secret_prefix=PLATFORM.nifi_certificate_prefix,
        region=PLATFORM.region,
        bucket=PLATFORM.bronze_bucket,
        keys=chosen["keys"],
    )
    wait_for_bronze = BronzeSensor(
        task_id="wait_for_bronze",
        bucket=PLATFORM.bronze_bucket,
        keys=chosen["keys"],
        region=PLATFORM.region,
        poke_interval=30,
        timeout=3600,
    )
    bronze_to_silver = spark_job(
        PLATFORM, "bronze_to_silver", task_id="bronze_to_silver", layer="silver", arguments=[*ingest_dates, *bronze]
    )
    check_quality = spark_job(
        PLATFORM,
        "quality_checks",
        task_id="check_quality",
        layer="silver",
        arguments=[*ingest_dates, *bronze],
        # What is wrong with data is wrong the next time too.
        more={"retries": 1},
    )
    silver_to_gold = spark_job(
        PLATFORM, "silver_to_gold", task_id="silver_to_gold", layer="gold", arguments=ingest_dates
    )

    chosen >> land_with_nifi >> wait_for_bronze >> bronze_to_silver
    bronze_to_silver >> check_quality >> silver_to_gold
