# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Calls to AWS: one door for retries, waiters and errors.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible.
"""

from __future__ import annotations

import random
import time
import typing as t
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

try:
    from botocore.exceptions import BotoCoreError, ClientError, WaiterError
    from botocore.waiter import WaiterModel, create_waiter_with_client

    HAS_BOTOCORE = True
except ImportError:
    HAS_BOTOCORE = False

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """Stands in where botocore is missing."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """Stands in where botocore is missing."""


# Answers that mean "again, later". AWS Private CA says ThrottlingException, Secrets Manager and EC2 their own words.
THROTTLED = (
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "LimitExceededException",
)
UNAVAILABLE = (
    "InternalFailure",
    "InternalError",
    "InternalServiceError",
    "InternalServerError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
    "RequestTimeout",
)
ATTEMPTS = 8
FIRST_DELAY, LONGEST_DELAY = 0.5, 20.0  # seconds
PARALLEL = 8

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


class AwsError(Exception):
    """A call that AWS refused, or that did not reach it. `code` is AWS's error code, or an empty string."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def error_code(error: BaseException) -> str:
    """AWS's error code of a botocore exception, or an empty string."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def call(
    client: t.Any,
    operation: str,
    *,
    retry_on: Iterable[str] = (),
    attempts: int = ATTEMPTS,
    sleep: Callable[[float], None] = time.sleep,
    **parameters: t.Any,
) -> dict[str, t.Any]:
    """Call one operation; repeat it when AWS throttles, with exponential back-off and full jitter.

    :param operation: the client's method name, such as issue_certificate
    :param retry_on: further error codes that are worth another attempt
    :raises AwsError: with the operation, AWS's code and its message
    """
    again = {*THROTTLED, *UNAVAILABLE, *retry_on}
    for attempt in range(1, attempts + 1):
        try:
            return t.cast("dict[str, t.Any]", getattr(client, operation)(**parameters))
        except ClientError as error:
            code = error_code(error)
            if code not in again or attempt == attempts:
                raise AwsError(f"{_service(client)} {operation}: {error}", code) from error
        except BotoCoreError as error:
            raise AwsError(f"{_service(client)} {operation}: {error}") from error
        sleep(random.uniform(0, min(LONGEST_DELAY, FIRST_DELAY * 2**attempt)))  # noqa: S311 (jitter is no secret)
    raise AssertionError("unreachable")


def _service(client: t.Any) -> str:
    return str(getattr(getattr(getattr(client, "meta", None), "service_model", None), "service_name", "aws"))


def pages(client: t.Any, operation: str, key: str, **parameters: t.Any) -> list[t.Any]:
    """All entries of a listing operation, over all its pages."""
    try:
        found: list[t.Any] = []
        for page in client.get_paginator(operation).paginate(**parameters):
            found.extend(page.get(key) or [])
        return found
    except ClientError as error:
        raise AwsError(f"{_service(client)} {operation}: {error}", error_code(error)) from error
    except BotoCoreError as error:
        raise AwsError(f"{_service(client)} {operation}: {error}") from error


def retrying(*codes: str) -> list[dict[str, str]]:
    """Acceptors of a waiter for error codes that mean "not yet"."""
    return [{"state": "retry", "matcher": "error", "expected": code} for code in (*codes, *THROTTLED)]


def wait(
    client: t.Any, waiters: Mapping[str, t.Any], name: str, timeout: float | None = None, **parameters: t.Any
) -> None:
    """Wait with a waiter given as data (botocore's waiter format, version 2).

    :param timeout: seconds; None: what the data says
    :raises AwsError: the wait failed or took longer than allowed
    """
    model = WaiterModel({"version": 2, "waiters": {name: waiters[name]}})
    config = {"MaxAttempts": max(1, int(timeout / waiters[name]["delay"]))} if timeout else {}
    try:
        create_waiter_with_client(name, model, client).wait(WaiterConfig=config, **parameters)
    except WaiterError as error:
        response = error.last_response or {}
        code = str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""
        raise AwsError(f"{_service(client)} {name}: {error}", code) from error


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Apply the function to all items, a few at a time; results in the items' order. boto3's clients bear it."""
    with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
        return list(pool.map(function, items))
