"""A run that is late sends a message."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from dataplatform_operators.settings import Settings

MESSAGE = "{{ dag_run.dag_id }} is late: run {{ dag_run.run_id }} had to end by {{ deadline.deadline_time }}."


def late(settings: Settings, minutes: int | None = None) -> DeadlineAlert:
    """Counted from when a run is queued, so that a backfill of old days is not late from the start."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes or settings.deadline_minutes),
        callback=AsyncCallback(
            SnsNotifier,
            kwargs={
                "aws_conn_id": None,
                "region_name": settings.region,
                "target_arn": settings.deadline_topic_arn,
                "subject": f"{settings.env}: a pipeline is late",
                "message": MESSAGE,
            },
        ),
    )
