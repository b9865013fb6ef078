"""The session with Airflow: tokens, outages, runs that are found again."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import _airflow, _dag_run
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow, AirflowError
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair, Unreachable

from tests.support.clock import Clock
from tests.unit.verification.fake_airflow import FakeAirflow

PAIR = KeyPair(b"certificate", b"key")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """Time passes by sleeping only."""
    return Clock().rule(monkeypatch, _airflow, _dag_run)


@pytest.fixture
def fake():
    return FakeAirflow()


@pytest.fixture
def airflow(fake):
    return Airflow(fake, PAIR, patience=30)


def tasks(**states):
    return [{"task_id": name, "state": state, "try_number": 1} for name, state in states.items()]


def test_one_token_serves_many_calls(airflow, fake):
    airflow.dag("flights_daily")
    airflow.dag("flights_daily")
    assert fake.tokens == 1


def test_a_lapsed_token_is_replaced(airflow, fake):
    airflow.dag("flights_daily")
    fake.valid = "another"
    assert airflow.dag("flights_daily")["dag_id"] == "flights_daily"
    assert fake.tokens == 2


def test_an_outage_is_waited_out(airflow, fake, clock):
    fake.outages = [Unreachable("no route"), 503, 502]
    assert airflow.dag("flights_daily") is not None
    assert clock.now == 3


def test_patience_ends(airflow, fake):
    fake.outages = [Unreachable("no route")] * 100
    with pytest.raises(AirflowError, match="certificate-token: no route"):
        airflow.dag("flights_daily")
    assert len(fake.calls) < 40


def test_a_refusal_carries_airflows_reason(fake):
    fake.role = "Public"
    with pytest.raises(AirflowError, match=r"HTTP 403 \(no role\)") as error:
        Airflow(fake, PAIR).log_in()
    assert error.value.status == 403


def test_components_that_are_silent_are_unknown(airflow, fake):
    fake.health = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": None}}
    health = airflow.health()
    assert (health["metadatabase"], health["scheduler"], health["triggerer"]) == ("healthy", "unknown", "unknown")


def test_a_run_is_started_once(airflow, fake):
    first = _dag_run.begin(airflow, "flights_daily", "abc", {"days": ["2013-01-01"]})
    assert (first.run_id, first.new) == ("verification-abc", True)
    again = _dag_run.begin(airflow, "flights_daily", "abc", {})
    assert (again.run_id, again.new) == ("verification-abc", False)
    posted = [body for method, path, body in fake.calls if method == "POST" and path.endswith("dagRuns")]
    assert posted == [
        {"dag_run_id": "verification-abc", "logical_date": None, "conf": {"days": ["2013-01-01"]}},
    ]


def test_a_failed_run_is_followed_by_another(airflow, fake):
    fake.runs[("flights_daily", "verification-abc")] = [("failed", [])]
    begun = _dag_run.begin(airflow, "flights_daily", "abc", {})
    assert (begun.run_id, begun.new) == ("verification-abc-2", True)


def test_a_run_whose_data_expired_is_followed_by_another_once(airflow, fake):
    fake.runs[("flights_daily", "verification-abc")] = [("success", [])]
    in_bronze: list[bool] = []
    again = _dag_run.begin(airflow, "flights_daily", "abc", {}, still_there=lambda: bool(in_bronze))
    assert (again.run_id, again.new) == ("verification-abc-2", True)
    in_bronze.append(True)
    third = _dag_run.begin(airflow, "flights_daily", "abc", {}, still_there=lambda: bool(in_bronze))
    assert (third.run_id, third.new) == ("verification-abc-2", False)


def test_a_run_that_goes_on_is_not_asked_for_its_data(airflow, fake):
    fake.runs[("flights_daily", "verification-abc")] = [("success", [])]
    fake.runs[("flights_daily", "verification-abc-2")] = [("running", [])]
    begun = _dag_run.begin(airflow, "flights_daily", "abc", {}, still_there=lambda: False)
    assert (begun.run_id, begun.new) == ("verification-abc-2", False)


def test_runs_on_one_data_come_to_an_end(airflow, fake):
    for attempt in range(_dag_run.ATTEMPTS):
        name = "verification-abc" + (f"-{attempt + 1}" if attempt else "")
        fake.runs[("flights_daily", name)] = [("failed", [])]
    with pytest.raises(CheckFailed, match="was run 20 times on this data"):
        _dag_run.begin(airflow, "flights_daily", "abc", {})


def test_a_paused_dag_runs_and_is_paused_again(airflow, fake):
    fake.dags["flights_daily"]["is_paused"] = True
    begun = _dag_run.begin(airflow, "flights_daily", "abc", {})
    assert [call[0] for call in fake.calls if call[0] != "GET"][-2:] == ["POST", "PATCH"]  # first the run
    assert fake.dags["flights_daily"]["is_paused"] is False
    _dag_run.check_run(airflow, "flights_daily", begun, 100, print, {})
    assert fake.dags["flights_daily"]["is_paused"] is True


def test_a_paused_dag_stays_so_when_its_run_is_done(airflow, fake):
    fake.runs[("flights_daily", "verification-abc")] = [("success", [])]
    fake.dags["flights_daily"]["is_paused"] = True
    assert _dag_run.begin(airflow, "flights_daily", "abc", {}).paused is False
    assert fake.dags["flights_daily"]["is_paused"] is True


def test_a_missing_dag_is_said(airflow, fake):
    fake.dags.clear()
    fake.errors = [{"filename": "flights.py", "stack_trace": "Traceback\n  …\nSyntaxError: bad\n"}]
    with pytest.raises(CheckFailed, match=r"no DAG flights_daily: flights\.py: SyntaxError: bad"):
        _dag_run.begin(airflow, "flights_daily", "abc", {})


def test_a_dag_that_was_just_published_is_waited_for(airflow, fake, clock, monkeypatch):
    known, fake.dags = fake.dags, {}
    sleep = clock.sleep

    def until_known(seconds: float) -> None:
        sleep(seconds)
        if clock.now >= 7:
            fake.dags = known

    monkeypatch.setattr(clock, "sleep", until_known)

    assert _dag_run.begin(airflow, "flights_daily", "abc", {}, seconds=60).new
    assert clock.now == 7


def test_progress_is_told_when_something_changes(airflow, fake):
    first, second = tasks(nifi="running", silver=None), tasks(nifi="success", silver="running")
    fake.next_run = [("queued", []), ("running", first), ("running", first), ("running", second), ("success", second)]
    airflow.start("flights_daily", "r")
    told: list[str] = []
    keep: dict = {}
    outcome = _dag_run.check_run(airflow, "flights_daily", _dag_run.Begun("r", True), 100, told.append, keep)
    assert outcome.observed == "r succeeded"
    assert told == [
        "flights_daily r: queued",
        "flights_daily r: 0 of 2 tasks done, nifi running",
        "flights_daily r: 1 of 2 tasks done, silver running",
    ]
    assert (keep["state"], keep["run_id"], keep["tasks"]["nifi"]) == ("success", "r", "success")


def test_a_failed_run_names_its_tasks(airflow, fake):
    fake.next_run = [("failed", tasks(nifi="success", silver="failed", gold="upstream_failed"))]
    airflow.start("flights_daily", "r")
    with pytest.raises(CheckFailed, match="r failed in silver"):
        _dag_run.follow(airflow, "flights_daily", "r", 100, print)


def test_a_run_that_hangs_is_given_up(airflow, fake):
    fake.next_run = [("running", tasks(gold="up_for_retry"))]
    airflow.start("flights_daily", "r")
    with pytest.raises(CheckFailed, match="not done after 100 s: 0 of 1 tasks done, gold up_for_retry"):
        _dag_run.follow(airflow, "flights_daily", "r", 100, print)


@pytest.mark.parametrize(
    ("states", "error"),
    [({"start_nifi": "success"}, None), ({"start_nifi": "skipped"}, "is skipped"), ({"silver": "success"}, "no task")],
)
def test_the_trigger_is_seen_in_the_run(states, error):
    if error is None:
        assert "start_nifi" in _dag_run.check_tasks({"tasks": states}, "nifi").observed
        return
    with pytest.raises(CheckFailed, match=error):
        _dag_run.check_tasks({"tasks": states}, "nifi")
