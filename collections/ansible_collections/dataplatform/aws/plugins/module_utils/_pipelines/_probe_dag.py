# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A DAG of the verification's own: uploaded, seen by Airflow, late on purpose, and removed again.

Private to this collection. It shows three things at once: how soon a DAG in the bucket is visible, that the triggerer
works (its only task waits there), and that a run which misses its deadline raises an alert.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

PREFIX = "verification_"
STALE = dt.timedelta(hours=1)  # what a verification that was killed left behind
RUN = "late"  # the id of its only run
LATE, TAKES = 5, 60  # seconds: of the deadline, and for which the task waits unless it is removed before

# The same notifier on the same topic as the platform's own DAGs; nothing but the moment differs.
SOURCE = '''"""Written by the platform's verification, which removes it again: late on purpose."""

from datetime import timedelta

from airflow.providers.amazon.aws.notifications.sns import SnsNotifier
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference

with DAG(
    dag_id="{dag_id}",
    schedule=None,
    is_paused_upon_creation=False,
    tags=["verification"],
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds={late}),
        callback=AsyncCallback(
            SnsNotifier,
            kwargs={{
                "aws_conn_id": None,
                "region_name": "{region}",
                "target_arn": "{topic}",
                "subject": "deadline missed",
                "message": "{dag_id} missed its deadline",
            }},
        ),
    ),
):
    TimeDeltaSensor(task_id="wait", delta=timedelta(seconds={takes}), deferrable=True)
'''


class ProbeDag:
    """One such DAG.

    :param where: bucket and prefix of the platform's DAG bundle
    """

    def __init__(self, s3: t.Any, where: tuple[str, str], topic: str, region: str) -> None:
        self.s3 = s3
        self.bucket, self.prefix = where
        self.topic, self.region = topic, region
        self.dag_id = PREFIX + secrets.token_hex(6)

    @property
    def key(self) -> str:
        return f"{self.prefix.strip('/')}/{self.dag_id}.py"

    def source(self) -> str:
        return SOURCE.format(dag_id=self.dag_id, topic=self.topic, region=self.region, late=LATE, takes=TAKES)

    def upload(self) -> None:
        """Put it where DAGs are; whatever an earlier verification left there goes."""
        self.remove_stale()
        _aws.call(self.s3, "put_object", Bucket=self.bucket, Key=self.key, Body=self.source().encode())

    def remove(self) -> None:
        _aws.call(self.s3, "delete_object", Bucket=self.bucket, Key=self.key)

    def remove_stale(self) -> None:
        """Remove probes of verifications that could not do it themselves."""
        prefix = f"{self.prefix.strip('/')}/{PREFIX}"
        oldest = dt.datetime.now(dt.timezone.utc) - STALE
        for entry in _aws.pages(self.s3, "list_objects_v2", "Contents", Bucket=self.bucket, Prefix=prefix):
            if entry["LastModified"] < oldest:
                _aws.call(self.s3, "delete_object", Bucket=self.bucket, Key=entry["Key"])


def check_visible(airflow: Airflow, probe: ProbeDag, seconds: float) -> Outcome:
    """The DAG is uploaded, and Airflow knows it within the time allowed."""
    probe.upload()
    found, waited = airflow.visible(probe.dag_id, seconds)
    if found is None:
        errors = [error for error in airflow.import_errors() if probe.dag_id in error]
        reason = errors[0] if errors else "Airflow reports no import error"
        raise CheckFailed(f"not visible after {waited:.0f} s: {reason}", "look at the dag-processor's log")
    return Outcome(f"visible after {waited:.0f} s")


def forget(airflow: Airflow, probe: ProbeDag, seconds: float) -> Outcome:
    """The file is taken away, Airflow sees that within the time allowed, and its memory of the DAG goes too."""
    probe.remove()
    airflow.finish(probe.dag_id, RUN)
    started = time.monotonic()
    while True:
        # (forgotten before it is seen to be gone, the DAG would be read once more from the bundle's last copy)
        found = airflow.dag(probe.dag_id)
        waited = time.monotonic() - started
        if found is None or found.get("is_stale"):
            airflow.forget(probe.dag_id)
            return Outcome(f"gone after {waited:.0f} s")
        if waited > seconds:
            raise CheckFailed(f"still there {waited:.0f} s after its file went", "look at the dag-processor's log")
        time.sleep(1)
