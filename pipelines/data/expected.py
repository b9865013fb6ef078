"""What must be in each layer after the pipeline has run, computed without it: SQL over the same files, in SQLite.

Shares no code with the Spark jobs on purpose. What counts as a flight's key, as late and as cancelled is written down
here a second time: two mistakes would have to be the same to go unseen.
"""

from __future__ import annotations

import csv
import hashlib
import io
import operator
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

DATE = ("year", "month", "day")
COLUMNS = ("carrier", "flight", "dep_time", "sched_dep_time", "dep_delay", "arr_delay", "distance")
# Strict: text that is no number is an error, and not a number of another kind.
CREATE = """
create table flights (flight_date text, carrier text, flight integer, dep_time integer, sched_dep_time integer,
                      dep_delay integer, arr_delay integer, distance integer) strict
"""
VALUE = "nullif(nullif(?, ''), 'NA')"
INSERT = f"insert into flights values (printf('%04d-%02d-%02d', ?, ?, ?), {', '.join([VALUE] * len(COLUMNS))})"  # noqa: S608

GOLD = """
select flight_date, carrier,
       count(*),
       sum(dep_time is null),
       sum(coalesce(dep_delay, 0) >= 15),
       coalesce(sum(dep_delay), 0),
       coalesce(sum(arr_delay), 0),
       sum(distance)
from (select flight_date, carrier, flight, sched_dep_time,
             max(dep_time) dep_time, max(dep_delay) dep_delay, max(arr_delay) arr_delay, max(distance) distance
      from flights group by flight_date, carrier, flight, sched_dep_time)
group by flight_date, carrier
order by flight_date, carrier
"""


def expected(files: Iterable[tuple[str, bytes]]) -> dict[str, Any]:
    """Counts by layer, and gold's checksum, for files as `flights.days` yields them."""
    database = sqlite3.connect(":memory:")
    database.execute(CREATE)
    objects = 0
    for _day, content in files:
        objects += 1
        database.executemany(INSERT, _values(content))
    bronze = _one(database, "select count(*) from flights")
    key = "flight_date, carrier, flight, sched_dep_time"
    silver = _one(database, f"select count(*) from (select distinct {key} from flights)")  # noqa: S608
    gold = list(database.execute(GOLD))
    return {
        "bronze": {"objects": objects, "rows": bronze},
        "silver": {"rows": silver},
        "gold": {"rows": len(gold), "checksum": checksum(gold)},
    }


def checksum(lines: Iterable[Iterable[Any]]) -> str:
    """`sha256:HEX` over sorted lines of integers and text, joined by `|` and ended by a line feed each."""
    texts = sorted("|".join(str(value) for value in line) for line in lines)
    return "sha256:" + hashlib.sha256("".join(f"{text}\n" for text in texts).encode()).hexdigest()


def _values(content: bytes) -> Iterator[tuple[str, ...]]:
    """DATE and COLUMNS of each row, as text."""
    lines = csv.reader(io.StringIO(content.decode()))
    header = next(lines)
    return map(operator.itemgetter(*(header.index(name) for name in (*DATE, *COLUMNS))), lines)


def _one(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])
