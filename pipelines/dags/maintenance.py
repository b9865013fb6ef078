"""Keeps the lake's tables small and quick: compaction, expiry of snapshots, removal of files that no table knows.

Airflow's own database is cleaned by a timer on its hosts: tasks have no access to it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable
from dataplatform_operators import alerts, settings
from dataplatform_operators.spark import spark_job

PLATFORM = settings.load()
WEEKLY = "0 3 * * 0"

with DAG(
    dag_id="maintenance",
    description="Compaction and expiry of the lake's tables",
    doc_md=__doc__,
    # Where nothing runs by itself, nothing has to be kept small by itself.
    schedule=CronDataIntervalTimetable(WEEKLY, timezone="UTC") if PLATFORM.schedule else None,
    start_date=datetime(2013, 1, 1, tzinfo=UTC),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    deadline=alerts.late(PLATFORM, minutes=180),
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
    tags=["lake"],
) as dag:
    for layer, table in (("silver", "flights"), ("gold", "daily_carrier_delays")):
        spark_job(
            PLATFORM,
            "maintenance",
            task_id=f"maintain_{layer}_{table}",
            layer=layer,
            arguments=["--tables", f"{layer}.{table}"],
        )
