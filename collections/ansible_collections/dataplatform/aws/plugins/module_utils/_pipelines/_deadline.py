# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Listens to an SNS topic for the length of a check, with an SQS queue of its own.

Private to this collection.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

STALE_SECONDS = 3600  # age of a queue that a killed verification left behind
POLL_SECONDS = 5  # of SQS's long polling


class Listener:
    """A queue subscribed to a topic, gone when the check is over."""

    def __init__(self, sqs: t.Any, sns: t.Any, topic: str, env: str) -> None:
        self.sqs, self.sns, self.topic = sqs, sns, topic
        self.prefix = f"dataplatform-{env}-verification-"
        self.url = self.subscription = ""

    def __enter__(self) -> Listener:
        self.remove_stale()
        try:
            self._subscribe()
        except _aws.AwsError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _subscribe(self) -> None:
        name = self.prefix + secrets.token_hex(6)
        self.url = _aws.call(self.sqs, "create_queue", QueueName=name)["QueueUrl"]
        arn = self._attributes(self.url, "QueueArn")["QueueArn"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn,
                    "Condition": {"ArnEquals": {"aws:SourceArn": self.topic}},
                }
            ],
        }
        _aws.call(self.sqs, "set_queue_attributes", QueueUrl=self.url, Attributes={"Policy": json.dumps(policy)})
        made = _aws.call(
            self.sns, "subscribe", TopicArn=self.topic, Protocol="sqs", Endpoint=arn, ReturnSubscriptionArn=True
        )
        self.subscription = made["SubscriptionArn"]

    def _attributes(self, url: str, *names: str) -> dict[str, str]:
        return dict(_aws.call(self.sqs, "get_queue_attributes", QueueUrl=url, AttributeNames=list(names))["Attributes"])

    def receive(self) -> list[str]:
        """The texts that came in the last moments."""
        found = _aws.call(
            self.sqs, "receive_message", QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=POLL_SECONDS
        )
        return [_text(message["Body"]) for message in found.get("Messages", [])]

    def close(self) -> None:
        """Remove subscription and queue, as far as they were made."""
        with contextlib.suppress(_aws.AwsError):
            if self.subscription:
                _aws.call(self.sns, "unsubscribe", SubscriptionArn=self.subscription)
        with contextlib.suppress(_aws.AwsError):
            if self.url:
                _aws.call(self.sqs, "delete_queue", QueueUrl=self.url)
        self.url = self.subscription = ""

    def remove_stale(self) -> None:
        """Remove queues, and their subscriptions, of verifications that could not do it themselves."""
        stale = set()
        for url in _aws.pages(self.sqs, "list_queues", "QueueUrls", QueueNamePrefix=self.prefix):
            with contextlib.suppress(_aws.AwsError):  # another verification may remove it at the same time
                found = self._attributes(url, "QueueArn", "CreatedTimestamp")
                if time.time() - float(found["CreatedTimestamp"]) > STALE_SECONDS:
                    stale.add(found["QueueArn"])
                    _aws.call(self.sqs, "delete_queue", QueueUrl=url)
        for entry in _aws.pages(self.sns, "list_subscriptions_by_topic", "Subscriptions", TopicArn=self.topic):
            if entry["Endpoint"] in stale:
                _aws.call(self.sns, "unsubscribe", SubscriptionArn=entry["SubscriptionArn"])


def _text(body: str) -> str:
    """SNS wraps what was published in JSON of its own."""
    try:
        wrapped = json.loads(body)
        return f"{wrapped.get('Subject') or ''}: {wrapped['Message']}"
    except (ValueError, KeyError, AttributeError):
        return body


def check_alert(listener: Listener, word: str, seconds: float) -> Outcome:
    """A message with ``word`` in it comes within the time allowed."""
    started = time.monotonic()
    others: list[str] = []
    while True:
        for text in listener.receive():
            if word in text:
                return Outcome(f"received after {time.monotonic() - started:.0f} s: {text[:120]}")
            others.append(text[:60])
        waited = time.monotonic() - started
        if waited > seconds:
            seen = f"; others came: {', '.join(others)}" if others else ""
            raise CheckFailed(
                f"no alert after {waited:.0f} s{seen}", "look at the triggerer's log and the topic's policy"
            )
