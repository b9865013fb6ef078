"""Starting and stopping a NiFi process group, over NiFi's REST API and through the load balancer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.triggers.s3 import S3KeyTrigger
from airflow.sdk import BaseOperator

from dataplatform_operators import certificate
from dataplatform_operators.nifi_api import NiFi, NiFiError


class NiFiProcessGroupOperator(BaseOperator):
    """Starts a process group, waits without a worker until what it shall bring is in S3, and stops it.

    A group that runs already is left running meanwhile, and one that was stopped beside this run is started again when
    the task is tried again: starting and stopping lose nothing, what is in NiFi's queues waits.

    :param nifi_url: for example https://nifi.example.com
    :param group: name of the process group below the root
    :param trigger_role_arn: role that may read the client certificate
    :param secret_prefix: secrets of the certificate, `PREFIX/keystore` and `PREFIX/password`
    :param region: AWS region
    :param bucket: where the group's work shows
    :param keys: key patterns; the work is done when each matches an object
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

    def execute(self, context: Any) -> None:
        self._set_state("RUNNING")
        self.log.info("started %s; waiting for %d patterns in s3://%s", self.group, len(self.keys), self.bucket)
        self.defer(
            trigger=S3KeyTrigger(
                bucket_name=self.bucket,
                bucket_key=self.keys,
                wildcard_match=True,
                aws_conn_id=None,
                region_name=self.region,
                poke_interval=self.poke_interval,
            ),
            method_name="landed",
            timeout=self.wait,
        )

    def landed(self, context: Any, event: dict[str, Any]) -> None:
        """The trigger has seen everything, or could not look."""
        if event.get("status") != "success":
            raise NiFiError(f"waiting for s3://{self.bucket}: {event.get('message', event)}")
        if self.stop:
            self._set_state("STOPPED")
            self.log.info("stopped %s", self.group)

    def _set_state(self, state: str) -> None:
        session = f"airflow-{self.dag_id}-{self.task_id}"
        tls = certificate.tls_context(self.trigger_role_arn, self.secret_prefix, self.region, session)
        nifi = NiFi(self.nifi_url, tls)
        nifi.set_state(nifi.group(self.group)["id"], state)
