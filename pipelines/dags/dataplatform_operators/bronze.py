"""Waiting for bronze. One listing answers for all days of a run, where a sensor of Airflow's asks for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import boto3
from airflow.sdk import BaseSensorOperator

from dataplatform_operators import days


class BronzeSensor(BaseSensorOperator):
    """Waits, between its looks without a worker, until each pattern matches an object.

    :param bucket: the bucket of the bronze layer
    :param keys: key patterns
    :param region: AWS region
    """

    template_fields: Sequence[str] = ("bucket", "keys")

    def __init__(self, *, bucket: str, keys: list[str], region: str, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", **kwargs)
        self.bucket, self.keys, self.region = bucket, keys, region

    def poke(self, context: Any) -> bool:
        left = days.missing(boto3.client("s3", region_name=self.region), self.bucket, self.keys)
        if left:
            self.log.info("s3://%s: nothing yet for %d of %d: %s …", self.bucket, len(left), len(self.keys), left[0])
        return not left
