"""The verification of pipelines as a whole: which checks are made, and what is left out when something is missing."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _lake
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import (
    _airflow,
    _dag_run,
    _data,
    _deadline,
    _reading,
    _run,
    _trigger,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _probes
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair

from tests.support.clock import Clock
from tests.unit.verification.fake_airflow import FakeAirflow

DN = "CN=probe-{},OU={},O=Platform"
UNITS = {"viewer": "Analytics", "operator": "Operations", "engineer": "DataEng", "trigger": "Services"}
AIRFLOW = {"viewer": ["Viewer"], "operator": ["Op"], "engineer": ["User"], "trigger": []}
READ = [{"resource": "/process-groups/root", "actions": ["read"]}]
START = [{"resource": "/operation/process-groups/root", "actions": ["write"]}]
ACCESS = {
    "rules": [{"role": r, "match": {"organization": "Platform", "organizational_unit": u}} for r, u in UNITS.items()],
    "roles": {r: {"airflow": AIRFLOW[r], "nifi": READ if r == "viewer" else [*READ, *START]} for r in UNITS},
    "probes": {r: {"enabled": True, "subject": {"common_name": f"probe-{r}"}} for r in UNITS},
}
PLATFORM = {
    "env": "dev", "region": "eu-central-1", "account_id": "123456789012", "pki": {"users_ca_arn": "arn:ca"},
    "hosts": {"airflow": "airflow.test", "nifi": "nifi.test"},
    "buckets": {name: name for name in ("bronze", "silver", "gold", "artifacts", "dags")},
    "airflow": {"dags_prefix": "dags", "deadline_topic_arn": "arn:topic"},
    "processing": {"jobs_bucket": "artifacts", "jobs_prefix": "jobs", "databases": {"silver": "s", "gold": "g"}},
}  # fmt: skip
EXPECTED = {"silver": {"rows": 3}, "gold": {"rows": 2, "checksum": "sha256:aa"}}
TABLES = {
    "silver": _lake.Table("s.flights", "silver", 3, 1, 10),
    "gold": _lake.Table("g.daily_carrier_delays", "gold", 2, 1, 10, properties={_data.CHECKSUM: "sha256:aa"}),
}


class Listener(contextlib.nullcontext):
    def __init__(self, *_):
        super().__init__(self)


@pytest.fixture
def world(monkeypatch):
    """AWS and NiFi say yes; Airflow is the fake, with the role of whoever asks."""
    fake = FakeAirflow()
    fake.next_run = [("success", [{"task_id": "start_nifi", "state": "success", "try_number": 1}])]
    monkeypatch.setattr(_run, "Endpoint", lambda host, ca_path: fake)

    def issue(client, ca, subject):
        role = subject["common_name"].removeprefix("probe-")
        return _probes.Probe(KeyPair(role.encode(), b""), DN.format(role, UNITS[role]), "1f", "arn", None, None)

    request = fake.request

    def asked(method, path, *, pair=None, **more):
        fake.role = (AIRFLOW[pair.certificate.decode()] or ["Public"])[0]
        return request(method, path, pair=pair, **more)

    fake.request = asked
    monkeypatch.setattr(_probes, "issue", issue)
    Clock().rule(monkeypatch, _airflow, _reading)
    monkeypatch.setattr(_dag_run, "fingerprint", lambda *_: "abc")
    monkeypatch.setattr(
        _run._probe_dag.ProbeDag, "upload", lambda self: fake.dags.update({self.dag_id: {"dag_id": self.dag_id}})
    )
    monkeypatch.setattr(_run._probe_dag.ProbeDag, "remove", lambda self: fake.dags[self.dag_id].update(is_stale=True))
    monkeypatch.setattr(_deadline, "Listener", Listener)
    monkeypatch.setattr(_deadline, "check_alert", lambda *_: Outcome("received"))
    for name in ("check_other_role_refused", "check_role_needed"):
        monkeypatch.setattr(_trigger, name, lambda *_: Outcome("refused"))
    monkeypatch.setattr(_data, "upload", lambda *_: ["2013-01-01.csv"])
    monkeypatch.setattr(_data, "check_bronze", lambda *a: a[-1].update(rows=2) or Outcome("2 rows"))
    monkeypatch.setattr(_data, "gold_and_silver", lambda *_: TABLES)
    layer = {"objects": 1, "bytes": 1, "complete": True}
    tables = [{"layer": "silver", "rows": 3}, {"layer": "gold", "rows": 2}]
    looked = {name: dict(layer) for name in ("bronze", "silver", "gold")} | {"tables": tables, "last_run": None}
    monkeypatch.setattr(_lake, "look", lambda *_: looked)
    return fake


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "2013-01-01.csv").write_text("carrier\nAA\nUA\n")
    return tmp_path


def inputs(folder: Path | None, told: list[str], **changes) -> _run.Inputs:
    clients = dict.fromkeys(("acm-pca", "s3", "glue", "sns", "sqs", "iam", "ec2"))
    return _run.Inputs(
        clients=clients, platform=PLATFORM, access=ACCESS, ca_path=None, tell=told.append, data=folder,
        expected=EXPECTED if folder else {}, **changes,
    )  # fmt: skip


def statuses(found: _run.Found) -> dict[str, str]:
    return {check.name: check.status for check in found.checks.done}


def test_everything(world, folder):
    told: list[str] = []
    found = _run.run(inputs(folder, told))
    bad = [check for check in found.checks.done if check.status != "passed"]
    assert bad == []
    wanted = {
        "probe-starter", "probe-looker", "health", "landing", "started", "dag-visible", "deadline-alert", "dag-removed",
        "nifi-refused", "nifi-role-needed", "dag-read", "import-errors", "run", "nifi-triggered", "bronze", "silver",
        "gold", "gold-checksum",
    }  # fmt: skip
    assert {f"pipeline:{name}" for name in wanted} <= set(statuses(found))
    assert [row["rows"] for row in (found.lake[layer] for layer in ("bronze", "silver", "gold"))] == [2, 3, 2]
    assert found.lake["checksum"] == {"expected": "sha256:aa", "observed": "sha256:aa"}
    assert found.lake["last_run"]["run_id"] == "verification-abc"
    assert told[0] == "1 files were put into s3://artifacts/landing/flights/"


def test_days_with_a_gap_are_refused_before_any_is_landed(world, folder, monkeypatch):
    monkeypatch.setattr(_data, "upload", lambda *_: pytest.fail("landed"))
    (folder / "2013-01-03.csv").write_text("carrier\nAA\n")
    (landing,) = [c for c in _run.run(inputs(folder, [])).checks.done if c.name == "pipeline:landing"]
    assert (landing.status, landing.observed) == ("failed", "2013-01-01 to 2013-01-03 has days without data")
    assert "consecutive days in verify_pipelines_data" in landing.detail
    assert not [key for key in world.runs if key[0] == "flights_daily"]


def test_the_probe_dag_is_ended_and_forgotten(world, folder):
    _run.run(inputs(folder, []))
    assert [run_id for dag_id, run_id in world.finished if dag_id.startswith("verification_")] == ["late"]
    assert list(world.dags) == ["flights_daily"]


@pytest.mark.parametrize(("lacking", "run_id"), [([], "verification-abc"), (["2013-01-01.csv"], "verification-abc-2")])
def test_a_second_run_is_started_only_when_bronze_lost_something(world, folder, monkeypatch, lacking, run_id):
    asked = []
    monkeypatch.setattr(_data, "lacking", lambda *given: asked.append(given) or lacking)
    assert _run.run(inputs(folder, [])).lake["last_run"]["run_id"] == "verification-abc"
    assert asked == []
    assert _run.run(inputs(folder, [])).lake["last_run"]["run_id"] == run_id
    assert asked == [(None, ("bronze", "flights"), folder)]


def test_without_data_no_run_is_started(world):
    found = _run.run(inputs(None, []))
    assert "pipeline:run" not in statuses(found)
    assert not [key for key in world.runs if key[0] == "flights_daily"]
    assert found.lake["bronze"] == {"objects": 1, "bytes": 1, "complete": True}


def test_a_broken_dag_is_found_without_data_too(world):
    """PPD and PROD start no run, and put nothing in."""
    world.dags["flights_daily"]["is_stale"] = True
    world.errors = [
        {"filename": "flights_daily.py", "stack_trace": "Traceback\nAirflowTimetableInvalid: [0 25 * * *]\n"}
    ]
    checks = {check.name: check for check in _run.run(inputs(None, [], probe_dag=False)).checks.done}
    read, errors = checks["pipeline:dag-read"], checks["pipeline:import-errors"]
    said = "flights_daily.py: AirflowTimetableInvalid: [0 25 * * *]"
    assert (read.status, read.observed) == ("failed", f"there is no DAG flights_daily: {said}")
    assert (errors.status, errors.observed) == ("failed", said)
    assert "--only pipelines" in errors.detail


def test_without_the_probe_dag(world, folder):
    names = statuses(_run.run(inputs(folder, [], probe_dag=False)))
    assert "pipeline:dag-visible" not in names
    assert "pipeline:run" in names


def test_a_failed_run_is_one_failure_and_the_lake_is_still_shown(world, folder):
    world.next_run = [("failed", [{"task_id": "silver", "state": "failed", "try_number": 2}])]
    found = _run.run(inputs(folder, []))
    assert [name for name, status in statuses(found).items() if status == "failed"] == ["pipeline:run"]
    assert "pipeline:gold" not in statuses(found)
    assert found.lake["silver"]["rows"] == 3


def test_an_unhealthy_component_is_named(world, folder):
    world.health["scheduler"] = {"status": "unhealthy"}
    (health,) = [c for c in _run.run(inputs(folder, [])).checks.done if c.name == "pipeline:health"]
    assert (health.status, health.observed) == ("failed", "scheduler unhealthy")


def test_who_starts_runs_and_who_only_looks():
    assert (_run.starter_role(ACCESS), _run.looker_role(ACCESS)) == ("engineer", "viewer")
    without = {
        **ACCESS,
        "probes": {r: {**p, "enabled": r in ("operator", "trigger")} for r, p in ACCESS["probes"].items()},
    }
    assert (_run.starter_role(without), _run.looker_role(without)) == ("operator", None)


def test_without_a_probe_nothing_is_started_and_that_is_a_failure(world, folder):
    nobody = {key: ACCESS[key] for key in ("rules", "roles")}  # access.yml may lack `probes`
    given = inputs(folder, [])
    given.access = nobody
    found = _run.run(given)
    assert statuses(found)["pipeline:probe-starter"] == "failed"
    assert world.runs == {}


def test_the_run_is_given_the_days_of_the_files(world, folder):
    _run.run(inputs(folder, []))
    (posted,) = [body for method, path, body in world.calls if method == "POST" and "flights_daily/dagRuns" in path]
    assert posted["conf"] == {"first_day": "2013-01-01", "last_day": "2013-01-01"}
