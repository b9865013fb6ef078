"""SQS: a call that waits for messages."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor


def test_a_call_that_waits_for_messages_holds_nobody_up_and_ends_with_the_first(client):
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html"""
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="late")["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        waiting = pool.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=20)
        client("s3").list_buckets()
        assert not waiting.done()
        client("sqs").send_message(QueueUrl=queue, MessageBody="here")
        assert waiting.result()["Messages"][0]["Body"] == "here"
    assert time.monotonic() - began < 20


def test_a_call_that_waits_in_vain_ends_without_messages(client):
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="empty")["QueueUrl"]
    assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
