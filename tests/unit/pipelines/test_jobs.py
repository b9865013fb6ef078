"""The Spark jobs on real flights: each layer equals what SQL computes from the same files; a rerun writes nothing."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterable
from csv import DictReader
from pathlib import Path
from typing import Any

import pytest

from pipelines.data import expected, flights

DAYS = ("2013-01-01", "2013-01-02", "2013-02-08")


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    return dict(flights.days(flights.source(), DAYS))


class Lake:
    """One environment of its own: bronze in a folder, tables in databases of the environment's name."""

    def __init__(self, spark: Any, jobs: Any, root: Path, env: str) -> None:
        self.spark, self.jobs, self.root, self.env = spark, jobs, root, env
        self.landed = 0
        for layer in ("silver", "gold"):
            spark.sql(f"create namespace glue.{env}_{layer}")

    def land(self, day: str, name: str, content: bytes) -> None:
        """Put a file into bronze. What lands later is newer."""
        path = self.root / f"ingest_date={day}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.landed += 1
        os.utime(path, (1_700_000_000 + self.landed, 1_700_000_000 + self.landed))

    def run(self, job: str, first: str, last: str | None = None, *extra: str) -> dict[str, Any]:
        module = self.jobs.modules[job]
        bronze = job in ("bronze_to_silver", "quality_checks")
        parser = getattr(module, "parser", lambda: self.jobs.lake.arguments("", bronze=bronze))()
        arguments = ["--env", self.env, "--first-day", first, "--last-day", last or first]
        arguments += ["--bronze", f"file://{self.root}"] if bronze else []
        return module.job(self.spark, parser.parse_args([*arguments, *extra]))

    def silver_and_gold(self, first: str, last: str | None = None) -> dict[str, Any]:
        self.run("bronze_to_silver", first, last)
        return self.run("silver_to_gold", first, last)

    def rows(self, table: str) -> list[Any]:
        return self.spark.table(f"glue.{self.env}_{table}").collect()

    def snapshots(self, table: str) -> int:
        return int(self.spark.table(f"glue.{self.env}_{table}.snapshots").count())

    def statistics(self, table: str) -> list[tuple[int, str]]:
        """Snapshots and files of the table's statistics."""
        util = self.spark._jvm.org.apache.iceberg.spark.Spark3Util
        found = util.loadIcebergTable(self.spark._jsparkSession, f"glue.{self.env}_{table}")
        return [(one.snapshotId(), one.path()) for one in found.statisticsFiles()]

    def current(self, table: str) -> int:
        return int(self.spark.table(f"glue.{self.env}_{table}.refs").where("name = 'main'").first()["snapshot_id"])


@pytest.fixture
def lake(spark: Any, jobs: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    return Lake(spark, jobs, tmp_path / "flights", f"t{abs(hash(request.node.name)) % 10**9}")


def landed(lake: Lake, files: dict[str, bytes]) -> Lake:
    for day, content in files.items():
        lake.land(day, f"batch-{day}-0123456789ab.csv", content)
    return lake


def csv(header: bytes, lines: Iterable[bytes]) -> bytes:
    return b"".join([header, *lines])


def test_gold_equals_what_sql_computes_and_a_rerun_writes_nothing(lake: Lake, files: dict[str, bytes]) -> None:
    landed(lake, files)
    wanted = expected.expected(files.items())
    silver = lake.run("bronze_to_silver", DAYS[0], DAYS[-1])
    assert (silver["read"], silver["unusable"], silver["written"]) == (
        wanted["bronze"]["rows"],
        0,
        wanted["silver"]["rows"],
    )
    assert lake.run("quality_checks", DAYS[0], DAYS[-1])["silver_rows"] == wanted["silver"]["rows"]
    gold = lake.run("silver_to_gold", DAYS[0], DAYS[-1])
    assert {"rows": gold["rows"], "checksum": gold["checksum"]} == wanted["gold"]
    assert gold["written"] == gold["rows"]
    # the same as the table says by itself, to whoever has no Spark
    properties = {row["key"]: row["value"] for row in lake.spark.sql(f"show tblproperties {gold['table']}").collect()}
    assert properties["dataplatform.checksum"] == wanted["gold"]["checksum"]

    tables = ("silver.flights", "gold.daily_carrier_delays")
    statistics = [lake.statistics(table) for table in tables]
    assert [[snapshot for snapshot, _ in found] for found in statistics] == [[lake.current(table)] for table in tables]
    before = lake.snapshots("silver.flights"), lake.snapshots("gold.daily_carrier_delays")
    assert lake.run("bronze_to_silver", DAYS[1])["written"] == 0
    assert lake.run("silver_to_gold", DAYS[1])["written"] == 0
    assert (lake.snapshots("silver.flights"), lake.snapshots("gold.daily_carrier_delays")) == before
    assert [lake.statistics(table) for table in tables] == statistics


def test_days_one_by_one_give_the_same_gold(lake: Lake, files: dict[str, bytes]) -> None:
    landed(lake, files)
    for day in reversed(DAYS):
        gold = lake.silver_and_gold(day)
    assert gold["checksum"] == expected.expected(files.items())["gold"]["checksum"]


def test_a_correction_replaces_and_an_older_delivery_does_not(lake: Lake, files: dict[str, bytes]) -> None:
    day = DAYS[0]
    header, *lines = files[day].splitlines(keepends=True)
    lake.land(day, "batch-a.csv", files[day])
    lake.silver_and_gold(day)
    # the first flight was 100 minutes late, and all flights of one carrier did not exist
    fields = lines[0].split(b",")
    fields[5] = b"100"
    corrected = [b",".join(fields), *lines[1:]]
    lake.land("2013-01-02", "batch-b.csv", csv(header, corrected))
    wanted = expected.expected([(day, csv(header, corrected))])["gold"]
    gold = lake.silver_and_gold("2013-01-02")
    assert gold["checksum"] == wanted["checksum"]
    assert gold["written"] == 1
    # the older file once more
    assert lake.run("bronze_to_silver", day)["written"] == 0
    assert lake.silver_and_gold(day)["checksum"] == wanted["checksum"]


def test_a_row_that_leaves_silver_leaves_gold(lake: Lake, files: dict[str, bytes]) -> None:
    day = DAYS[0]
    lake.land(day, "batch-a.csv", files[day])
    lake.silver_and_gold(day)
    lake.spark.sql(f"delete from glue.{lake.env}_silver.flights where carrier = 'UA'")
    assert lake.run("silver_to_gold", day)["written"] == 1
    assert "UA" not in {row["carrier"] for row in lake.rows("gold.daily_carrier_delays")}
    lake.spark.sql(f"delete from glue.{lake.env}_silver.flights")
    lake.run("silver_to_gold", day)
    assert lake.rows("gold.daily_carrier_delays") == []


def test_pushed_records_and_files_are_one_table(lake: Lake, files: dict[str, bytes]) -> None:
    day, today = DAYS[0], "2026-03-01"
    header, *lines = files[day].splitlines(keepends=True)
    lake.land(day, "batch-a.csv", csv(header, lines[:400]))
    records = list(DictReader(csv(header, lines[300:]).decode().splitlines()))
    numbers = ("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_delay", "flight", "distance")
    typed = [
        {name: None if value == "NA" else int(value) if name in numbers else value for name, value in one.items()}
        for one in records
    ]
    pushed = "\n".join(json.dumps(one) for one in typed).encode()
    lake.land(today, "stream-1.jsonl", pushed)
    lake.land(today, "stream-2.jsonl", pushed)  # at least once: some come twice
    lake.silver_and_gold(day)
    gold = lake.silver_and_gold(today)
    assert gold["flight_dates"] == 1
    assert gold["checksum"] == expected.expected([(day, files[day])])["gold"]["checksum"]
    assert {row["ingest_date"] for row in lake.rows("silver.flights")} == {dt.date(2013, 1, 1), dt.date(2026, 3, 1)}


def bad(files: dict[str, bytes], change: dict[int, bytes], count: int) -> bytes:
    """The first day with fields of its first flights changed."""
    header, *lines = files[DAYS[0]].splitlines(keepends=True)
    for index in range(count):
        fields = lines[index].split(b",")
        for place, value in change.items():
            fields[place] = value
        lines[index] = b",".join(fields)
    return csv(header, lines)


@pytest.mark.parametrize(
    ("change", "count", "message"),
    [
        ({5: b"late"}, 20, r"unusable: 2013-01-01 has 20 unusable rows of 842 \(2.38%\).*no number: dep_delay"),
        ({9: b"NA"}, 20, "unusable: .*no carrier"),
        ({1: b"13"}, 20, "unusable: .*no flight_date"),
        ({15: b"0"}, 1, "plausible: 1 flights have values that cannot be, such as 2013-01-01 UA 1545 515"),
        ({5: b"9999"}, 2, "plausible: 2 flights"),
        ({3: b"NA"}, 800, "cancelled: 9.% of 2013-01-01, allowed are 90%"),
    ],
)
def test_what_cannot_be_right_fails_the_run(
    lake: Lake, files: dict[str, bytes], change: dict[int, bytes], count: int, message: str
) -> None:
    lake.land(DAYS[0], "batch-a.csv", bad(files, change, count))
    lake.run("bronze_to_silver", DAYS[0])
    with pytest.raises(lake.jobs.lake.LakeError, match=f"(?s)quality checks failed:.*{message}"):
        lake.run("quality_checks", DAYS[0])


def test_few_unusable_rows_are_left_out_and_silver_that_is_not_complete_is_found(
    lake: Lake, files: dict[str, bytes]
) -> None:
    lake.land(DAYS[0], "batch-a.csv", bad(files, {5: b"late"}, 2))
    silver = lake.run("bronze_to_silver", DAYS[0])
    assert (silver["unusable"], silver["written"]) == (2, 840)
    lake.run("quality_checks", DAYS[0])
    with pytest.raises(lake.jobs.lake.LakeError, match="rows: 2013-01-01 has 842 rows, expected at least 900"):
        lake.run("quality_checks", DAYS[0], None, "--min-rows", "900")
    lake.spark.sql(f"delete from glue.{lake.env}_silver.flights where carrier = 'UA'")
    with pytest.raises(lake.jobs.lake.LakeError, match=r"complete: \d+ flights of bronze are not in silver"):
        lake.run("quality_checks", DAYS[0])


def test_lines_that_are_no_json_are_unusable_and_columns_in_another_order_are_an_error(
    lake: Lake, files: dict[str, bytes]
) -> None:
    lake.land(DAYS[0], "batch-a.csv", files[DAYS[0]])
    lake.land(DAYS[0], "stream-a.jsonl", b'{"year": 2013\nnonsense\n')
    assert lake.run("bronze_to_silver", DAYS[0])["unusable"] == 2
    header, *lines = files[DAYS[1]].splitlines(keepends=True)
    names = header.strip().split(b",")
    lake.land(DAYS[1], "batch-b.csv", csv(b",".join([names[1], names[0], *names[2:]]) + b"\n", lines))
    with pytest.raises(Exception, match=r"(?i)header"):
        lake.run("bronze_to_silver", DAYS[1])


def test_a_row_that_was_cut_off_is_unusable(lake: Lake, files: dict[str, bytes]) -> None:
    """Also where it ends behind the key, and what is missing could be null."""
    header, *lines = files[DAYS[0]].splitlines(keepends=True)
    lake.land(DAYS[0], "batch-a.csv", csv(header, [*lines[:-1], b",".join(lines[-1].split(b",")[:12])]))
    silver = lake.run("bronze_to_silver", DAYS[0])
    assert (silver["unusable"], silver["written"]) == (1, 841)
    with pytest.raises(lake.jobs.lake.LakeError, match=r"unusable: .*not readable in .*batch-a\.csv"):
        lake.run("quality_checks", DAYS[0], None, "--max-unusable", "0")


def test_a_day_that_came_without_rows_fails_the_run(lake: Lake, files: dict[str, bytes]) -> None:
    lake.land(DAYS[0], "batch-a.csv", files[DAYS[0]])
    lake.land(DAYS[1], "batch-b.csv", files[DAYS[1]].splitlines(keepends=True)[0])
    lake.silver_and_gold(DAYS[0], DAYS[1])
    with pytest.raises(lake.jobs.lake.LakeError, match="rows: 2013-01-02 has 0 rows, expected at least 1"):
        lake.run("quality_checks", DAYS[0], DAYS[1])


def test_a_folder_of_no_day_stops_nothing(lake: Lake, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    landed(lake, files)
    lake.land("2013-02-30", "batch-a.csv", files[DAYS[0]])
    monkeypatch.setattr(lake.jobs.lake, "FEW_FOLDERS", 1)
    assert lake.run("bronze_to_silver", DAYS[0], DAYS[-1])["read"] == expected.expected(files.items())["bronze"]["rows"]


def test_a_day_without_anything_says_so(lake: Lake) -> None:
    with pytest.raises(lake.jobs.lake.LakeError, match="nothing for the ingest dates 2013-05-01 to 2013-05-01"):
        lake.run("bronze_to_silver", "2013-05-01")
    with pytest.raises(lake.jobs.lake.LakeError, match="lies before"):
        lake.run("bronze_to_silver", "2013-05-02", "2013-05-01")


def test_maintenance_changes_no_row(lake: Lake, files: dict[str, bytes]) -> None:
    landed(lake, files)
    for day in DAYS:
        gold = lake.silver_and_gold(day)
    maintenance = lake.jobs.maintenance
    options = ["--env", lake.env, "--snapshot-days", "0", "--keep-snapshots", "1"]
    # what an interrupted job left long ago goes, what is new stays
    folder = next(Path(row["file_path"].removeprefix("file:")).parent for row in lake.rows("silver.flights.files"))
    for name, age in (("old.parquet", 10), ("new.parquet", 0)):
        (folder / name).write_bytes(b"left over")
        moment = dt.datetime.now().timestamp() - age * 86400
        os.utime(folder / name, (moment, moment))
    done = maintenance.job(lake.spark, maintenance.parser().parse_args(options))
    assert done["tables"]["silver.flights"]["orphans_removed"] == 1
    assert not (folder / "old.parquet").exists()
    assert (folder / "new.parquet").exists()
    assert lake.snapshots("silver.flights") == 1
    assert lake.run("silver_to_gold", DAYS[0], DAYS[-1])["checksum"] == gold["checksum"]
    with pytest.raises(lake.jobs.lake.LakeError, match="orphan-days"):
        maintenance.job(lake.spark, maintenance.parser().parse_args([*options, "--orphan-days", "0"]))


def test_names_that_are_no_names_are_refused(jobs: Any) -> None:
    with pytest.raises(SystemExit):
        jobs.lake.arguments("").parse_args(["--env", "dev; drop table x", "--first-day", "2013-01-01"])
    with pytest.raises(jobs.lake.LakeError, match=r"LAYER\.NAME"):
        jobs.lake.layer_and_name("flights")


def test_a_table_without_statistics_is_no_failed_job(
    jobs: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another writer may commit first; the data is there."""
    from pyspark.errors import PySparkException

    class Conflict:
        def sql(self, statement: str) -> None:
            raise PySparkException("the table was changed meanwhile")

    monkeypatch.setattr(jobs.lake, "has_statistics", lambda *_: False)
    assert jobs.lake.keep_statistics(Conflict(), "glue.dev_gold.delays") is False
    assert "no statistics of glue.dev_gold.delays this time: the table was changed" in capsys.readouterr().err
