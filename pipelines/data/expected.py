"""What must be in each layer after the pipeline has run, computed without it: SQL over the same files, in SQLite.

Shares no code with the Spark jobs on purpose. What counts as a flight's key, as late and as cancelled is written down
here a second time: two mistakes would have to be the same to go unseen.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from typing import Any

from pipelines.data.flights import rows

COLUMNS = ("carrier", "flight", "dep_time", "sched_dep_time", "dep_delay", "arr_delay", "distance")
NUMBERS = frozenset(COLUMNS) - {"carrier"}
MISSING = ("", "NA")

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
    types = ", ".join(f"{name} {'integer' if name in NUMBERS else 'text'}" for name in COLUMNS)
    database.execute(f"create table flights (flight_date text, {types})")
    objects = 0
    for _day, content in files:
        objects += 1
        marks = ", ".join("?" * (len(COLUMNS) + 1))
        database.executemany(f"insert into flights values ({marks})", map(_values, rows(content)))  # noqa: S608
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


def _values(row: dict[str, str]) -> list[Any]:
    day = f"{int(row['year']):04}-{int(row['month']):02}-{int(row['day']):02}"
    return [day, *(_value(name, row[name]) for name in COLUMNS)]


def _value(name: str, text: str) -> Any:
    if text in MISSING:
        return None
    return int(text) if name in NUMBERS else text


def _one(database: sqlite3.Connection, query: str) -> int:
    return int(database.execute(query).fetchone()[0])
