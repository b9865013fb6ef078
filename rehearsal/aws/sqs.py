"""SQS: a call that waits for messages holds nobody up.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-short-and-long-polling.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.sqs import models

from rehearsal.aws import lock
from rehearsal.aws.patching import wraps_original


@wraps_original(models.Queue)
def wait_for_messages(original: Callable[..., Any], queue: models.Queue, timeout: int) -> None:
    """Long polling: a message that comes meanwhile ends it."""
    with lock.released():
        original(queue, timeout)
