"""Which ingest dates a run is for, and which objects must be in bronze then."""

from __future__ import annotations

import contextlib
import datetime as dt
import fnmatch
import glob
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_DAYS = 400
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
NAME = re.compile(r"(?!.*\.\.)[A-Za-z0-9!_.*'()=-]+")
"""What the flow takes as the name of an object in bronze."""
SUFFIX = ".csv"
"""What the jobs read of the landing folder's files (pipelines/jobs/lake.py)."""


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


def read_from(params: Mapping[str, Any], first: dt.date) -> dt.date:
    """The first ingest date that the jobs read: a run for the day of its logical date takes the day before along.

    What is pushed just before midnight may reach bronze when that day's run is over. Reading a day again writes only
    what is new.
    """
    return first if params.get("first_day") else first - dt.timedelta(days=1)


def bronze_keys(
    landed: Mapping[str, Sequence[str]], prefix: str, first: dt.date, last: dt.date, expected: bool = True
) -> list[str]:
    """What the flow flights-batch will have put below ``prefix``, day by day, when it has taken what is there for it.

    :param landed: names in bronze by day, of `landing`
    :param expected: whether each day has a landing file
    :return: the keys of these, and for a day without any, where one is expected, a pattern for what comes or has come
    """
    days = ((first + dt.timedelta(days=number)).isoformat() for number in range((last - first).days + 1))
    otherwise = ["batch-*"] if expected else []
    return [f"{prefix}/ingest_date={day}/{name}" for day in days for name in landed.get(day, otherwise)]


def landing(s3: Any, bucket: str, prefix: str, first: dt.date, last: dt.date) -> dict[str, list[str]]:
    """The files of a landing folder by day (`2013-01-01`): the names that they get in bronze, escaped as patterns.

    As the processor FetchLanding names them (pipelines/processors/lake/lake_objects.py): a corrected file, which has
    another ETag, is another object of bronze.

    :raises DaysError: a file of these days has a name that the flow refuses, and would be waited for in vain, or one
        that the jobs pass over
    """
    found: dict[str, list[str]] = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            name = entry["Key"].rsplit("/", 1)[-1]
            if not name or not entry["Size"]:
                continue
            day, etag = day_of(name, entry["LastModified"]), entry["ETag"].strip('"')
            if not first.isoformat() <= day <= last.isoformat():
                continue
            if not NAME.fullmatch(name):
                raise DaysError(f"s3://{bucket}/{entry['Key']} can't be landed: rename it to letters, digits and _.=-")
            if not name.endswith(SUFFIX):
                raise DaysError(f"s3://{bucket}/{entry['Key']} would land and not be read: jobs read *{SUFFIX} only")
            stem, dot, suffix = name.partition(".")
            found.setdefault(day, []).append(glob.escape(f"batch-{stem}-{etag[:12]}{dot}{suffix}"))
    return found


def day_of(name: str, arrived: dt.datetime) -> str:
    """The day in a file's name, else the one it arrived; also where what looks like a day is none (2013-02-30)."""
    for found in DAY.findall(name):
        with contextlib.suppress(ValueError):
            return dt.date.fromisoformat(found).isoformat()
    return arrived.strftime("%Y-%m-%d")


def missing(s3: Any, bucket: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys and patterns (`flights/ingest_date=2013-01-01/batch-*`) that no object matches, in order."""
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
