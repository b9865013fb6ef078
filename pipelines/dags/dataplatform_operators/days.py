"""Which ingest dates a run is for, and which objects must be in bronze then."""

from __future__ import annotations

import datetime as dt
import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_DAYS = 400


class DaysError(ValueError):
    """The run's parameters do not say which days."""


def chosen(params: Mapping[str, Any], logical_date: dt.datetime | None) -> tuple[dt.date, dt.date]:
    """First and last ingest date: the run's parameters, else the day of its logical date.

    :raises DaysError: neither is there, or the parameters cannot be meant
    """
    first, last = params.get("first_day"), params.get("last_day")
    if first is None:
        if last is not None:
            raise DaysError(f"last_day {last} is given without first_day")
        if logical_date is None:
            raise DaysError("this run has no logical date: give first_day (and last_day) in its configuration")
        day = logical_date.date()
        return day, day
    begin = dt.date.fromisoformat(first)
    end = dt.date.fromisoformat(last or first)
    if end < begin or (end - begin).days >= MOST_DAYS:
        raise DaysError(f"{begin} to {end} is no range of 1 to {MOST_DAYS} days")
    return begin, end


def bronze_keys(prefix: str, first: dt.date, last: dt.date) -> list[str]:
    """A pattern for each day that matches what the flow flights-batch lands for it."""
    days = ((first + dt.timedelta(days=number)).isoformat() for number in range((last - first).days + 1))
    return [f"{prefix}/ingest_date={day}/batch-*" for day in days]


def missing(s3: Any, bucket: str, keys: Sequence[str]) -> list[str]:
    """Those of the patterns (`flights/ingest_date=2013-01-01/batch-*`) that no object matches, in their order."""
    if not keys:
        return []
    # up to where the patterns differ, or the first of them has a wildcard
    prefix = re.split(r"[*?[]", os.path.commonprefix(list(keys)), maxsplit=1)[0]  # noqa: RUF071 - of texts
    left = dict.fromkeys(keys)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            for key in [key for key in left if fnmatch.fnmatchcase(entry["Key"], key)]:
                del left[key]
        if not left:
            break
    return list(left)
