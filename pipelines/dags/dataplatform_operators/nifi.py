"""Starting and stopping a NiFi process group, over NiFi's REST API and through the load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger
from airflow.sdk import BaseOperator

from dataplatform_operators import certificate, days
from dataplatform_operators.nifi_api import NiFi, NiFiError

WATCHED = 8
"""Patterns that the triggerer asks for at a time: it lists the bucket once for each of them and look."""


class NiFiProcessGroupOperator(BaseOperator):
    """Starts a process group, waits without a worker until what it shall bring is in S3, and stops it.

    A group that runs already is left running meanwhile, and one that was stopped beside this run is started again when
    the task is tried again: starting and stopping lose nothing, what is in NiFi's queues waits. When the last try has
    failed the group is stopped too.

    :param nifi_url: for example https://nifi.example.com
    :param group: name of the process group below the root
    :param trigger_role_arn: role that may read the client certificate
    :param secret_prefix: secrets of the certificate, `PREFIX/keystore` and `PREFIX/password`
    :param region: AWS region
    :param bucket: where the group's work shows
    :param keys: key patterns; the work is done when each matches an object, and without any there is none
    :param wait: how long that may take
    :param poke_interval: seconds between two looks
    :param stop: whether to stop the group afterwards
    """

    template_fields: Sequence[str] = ("nifi_url", "group", "trigger_role_arn", "secret_prefix", "bucket", "keys")
    ui_color = "#d4e5ef"

    def __init__(
        self,
        *,
        nifi_url: str,
        group: str,
        trigger_role_arn: str,
        secret_prefix: str,
        region: str,
        bucket: str,
        keys: list[str],
        wait: timedelta = timedelta(minutes=30),
        poke_interval: float = 5,
        stop: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.nifi_url, self.group = nifi_url, group
        self.trigger_role_arn, self.secret_prefix, self.region = trigger_role_arn, secret_prefix, region
        self.bucket, self.keys = bucket, keys
        self.wait, self.poke_interval, self.stop = wait, poke_interval, stop
        if stop:
            self.on_failure_callback = [*self.on_failure_callback, stop_after_failure]

    def execute(self, context: Any) -> None:
        if not self.keys:
            self.log.info("%s stays as it is: no file is waited for", self.group)
            return
        self._set_state("RUNNING")
        self.log.info("started %s; waiting for %d patterns in s3://%s", self.group, len(self.keys), self.bucket)
        self._wait_for(self.keys, datetime.now(UTC) + self.wait)

    def landed(self, context: Any, event: dict[str, Any], until: str) -> None:
        """The trigger has seen what it was given, which is not always all there is, or could not look."""
        if event.get("status") != "success":
            raise NiFiError(f"waiting for s3://{self.bucket}: {event.get('message', event)}")
        left = days.missing(boto3.client("s3", region_name=self.region), self.bucket, self.keys)
        if left:
            self.log.info("%d patterns left, such as %s", len(left), left[0])
            self._wait_for(left, datetime.fromisoformat(until))
        if self.stop:
            self._set_state("STOPPED")
            self.log.info("stopped %s", self.group)

    def _wait_for(self, keys: Sequence[str], until: datetime) -> None:
        """Leave the worker until the last of the patterns match: the group takes files in their order."""
        self.defer(
            trigger=S3KeyTrigger(
                bucket_name=self.bucket,
                bucket_key=list(keys[-WATCHED:]),
                wildcard_match=True,
                aws_conn_id=None,
                region_name=self.region,
                poke_interval=self.poke_interval,
            ),
            method_name="landed",
            kwargs={"until": until.isoformat()},
            timeout=max(until - datetime.now(UTC), timedelta(seconds=1)),
        )

    def _set_state(self, state: str) -> None:
        session = f"airflow-{self.dag_id}-{self.task_id}"
        tls = certificate.tls_context(self.trigger_role_arn, self.secret_prefix, self.region, session)
        nifi = NiFi(self.nifi_url, tls)
        nifi.set_state(nifi.group(self.group)["id"], state)


def stop_after_failure(context: Any) -> None:
    """No try is left, whatever ended the last one. What fails here is in the task's log beside its own error.

    By the context's task: the operator that was given this callback is another copy, without rendered templates.
    """
    task = context["task"]
    task.log.info("stopping %s: its run failed", task.group)
    task._set_state("STOPPED")
