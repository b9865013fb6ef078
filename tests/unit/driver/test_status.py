"""What status, the summary of a run and who-can say about Airflow and the lake."""

from __future__ import annotations

import json
import threading
import time

import pytest

from driver import following, lake, record
from driver.ansible_events import Failure, Outcome
from driver.errors import DriverError
from driver.verbs import apply, status, who_can
from tests.unit.driver.fakes import fake_run

HEALTHY = {name: {"status": "healthy", "heartbeat": "2026-01-01T00:00:00Z"} for name in ("scheduler", "triggerer")}
TABLE = {
    "name": "dev_gold.daily_carrier_delays", "layer": "gold", "rows": 5345, "files": 12, "bytes": 98304,
    "snapshot": "7", "updated": "2026-01-01T00:00:00Z",
}  # fmt: skip
LAKE = {
    "bronze": {"objects": 365, "bytes": 31_000_000, "complete": True, "rows": 336776},
    "silver": {"objects": 100, "bytes": 1023, "complete": True, "rows": 328521},
    "gold": {"objects": 100000, "bytes": 5 * 1024**3, "complete": False, "rows": 5345},
    "tables": [TABLE],
    "last_run": {"at": "2026-01-01T00:00:00Z", "table": TABLE["name"], "operation": "overwrite", "job": None},
}
RUN = {"dag_id": "flights_daily", "run_id": "verification-abc", "state": "success", "started": "1", "ended": "2"}
USER = {"user": "alice", "dn": "CN=alice", "role": "engineer", "serial": "1f", "expires": "2027"}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Runs of the verb, with everything but Airflow's health at hand."""
    monkeypatch.setattr(status.conduct, "begin_quietly", lambda run: None)
    monkeypatch.setattr(status.preflight, "reaches_hosts", lambda *_: None)
    monkeypatch.setattr(status.people, "users", lambda run: [dict(USER)])
    monkeypatch.setattr(status.lake, "look", lambda run: LAKE)

    def make(**options):
        run, shown = fake_run(tmp_path, **options)
        run.ansible.reports = {"airflow-status.yml": {"components": HEALTHY}}
        return run, shown

    return make


def test_status_for_machines(made, capsys):
    run, _ = made(json=True)
    assert status.run(run) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["airflow"]["url"] == "https://airflow.dev/"
    assert [node["instance_id"] for node in found["airflow"]["nodes"]] == ["i-web", "i-core"]
    assert found["airflow"]["components"] == HEALTHY
    assert [node["instance_id"] for node in found["nifi"]["nodes"]] == ["i-nifi"]
    assert found["lake"]["bronze"]["objects"] == 365
    assert found["lake"]["last_run"]["at"] == "2026-01-01T00:00:00Z"


def test_status_for_people(made):
    run, shown = made()
    status.run(run)
    text = shown.getvalue()
    for words in (
        "https://airflow.dev/",
        "scheduler healthy, triggerer healthy",
        "i-core",
        "336,776",
        "100,000+",
        "5,345",
    ):
        assert words in text
    assert "last run: 2026-01-01T00:00:00Z: overwrite of dev_gold.daily_carrier_delays" in text


def test_status_of_a_platform_without_airflow(made, capsys):
    run, _ = made(airflow=False, json=True)
    status.run(run)
    found = json.loads(capsys.readouterr().out)
    assert (found["airflow"], found["lake"]) == (None, None)
    assert run.ansible.played == []
    run, shown = made(airflow=False)
    status.run(run)
    assert "Airflow" not in shown.getvalue()


@pytest.mark.parametrize("broken", ["unreachable", "nobody", "raises"])
def test_status_goes_on_when_airflow_does_not_answer(made, broken, monkeypatch):
    run, shown = made()
    run.ansible.reports = {}
    if broken == "unreachable":
        failure = Failure("i-web", "Ask the api-server", "can't be reached")
        run.ansible.outcomes["airflow-status.yml"] = Outcome(failures=[failure], code=4)
    if broken == "raises":
        monkeypatch.setattr(run.ansible, "run", lambda *_, **__: (_ for _ in ()).throw(DriverError("no inventory")))
    status.run(run)
    expected = {"unreachable": "i-web: Ask the api-server: can't be reached", "raises": "no inventory"}
    assert f"health unknown: {expected.get(broken, 'no api-server was found')}" in shown.getvalue()


def test_the_summary_names_airflow_and_the_lake(tmp_path):
    run, shown = fake_run(tmp_path)
    run.record.lake = {**LAKE, "last_run": RUN, "checksum": {"expected": "sha256:aa", "observed": "sha256:aa"}}
    apply.summary(run)
    text = shown.getvalue()
    assert "Airflow:     https://airflow.dev/" in text
    assert "328,521" in text
    assert "last run: flights_daily verification-abc: success, ended 2" in text
    assert "sha256:aa equals the independent sha256:aa" in text


def test_the_summary_shouts_when_gold_is_wrong(tmp_path):
    run, shown = fake_run(tmp_path)
    run.record.lake = {**LAKE, "checksum": {"expected": "sha256:aa", "observed": None}}
    apply.show_lake(run)
    assert "None DIFFERS FROM the independent sha256:aa" in shown.getvalue()


def test_the_record_has_the_lake(tmp_path):
    made = record.Record("dev", "apply", "aws", "run")
    made.nodes = [{"role": "airflow", "instance_id": "i-web", "private_ip": "10.0.0.9", "az": "a", "state": "healthy"}]
    made.lake = {**LAKE, "last_run": RUN, "checksum": {"expected": "sha256:aa", "observed": "sha256:aa"}}
    page = made.write(tmp_path, 0).read_text()
    assert json.loads((tmp_path / "record.json").read_text())["lake"]["checksum"]["expected"] == "sha256:aa"
    for words in ("The lake", "336,776", "dev_gold.daily_carrier_delays", "sha256:aa", "verification-abc", "airflow"):
        assert words in page


def test_a_record_without_a_lake_has_no_section(tmp_path):
    assert "The lake" not in record.Record("dev", "plan", "aws", "run").write(tmp_path, 0).read_text()


def test_an_empty_lake_is_said():
    assert lake.last_run({"last_run": None}) == "no run has written to a table yet"


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 1024**4, "5.0 TiB")])
def test_sizes(count, text):
    assert lake.size(count) == text


def explained(**changes) -> str:
    found = {
        "user": None, "dn": "CN=x", "revoked": False, "role": "producer", "description": "pushes records",
        "rule": {"number": 6, "match": {"organizational_unit": "Producers"}}, "nifi": [], "airflow": [], **changes,
    }  # fmt: skip
    return "\n".join(who_can.lines(None, found))  # type: ignore[arg-type]


def test_who_can_says_what_is_not_allowed():
    assert "NiFi: nothing\nAirflow: nothing" in explained()
    assert "Airflow: User, Op" in explained(airflow=["User", "Op"])


def test_lines_of_a_growing_file_are_told_once(tmp_path):
    path, told = tmp_path / "progress", []
    heard = threading.Event()

    def tell(line: str) -> None:
        told.append(line)
        heard.set()

    with following.lines(path, tell):
        path.write_text("one\ntwo\nhalf")
        assert heard.wait(10)
        with path.open("a") as stream:
            stream.write(" a line\nlast\n")
    assert told == ["one", "two", "half a line", "last"]
    assert not path.exists()


def test_a_file_that_never_comes(tmp_path):
    began = time.monotonic()
    with following.lines(tmp_path / "progress", print):
        pass
    assert time.monotonic() - began < 5
