"""That DAGs can be read as they are now: what was published a moment ago counts, what was read before it does not."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import _reading
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import Airflow
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair

from tests.support.clock import Clock
from tests.unit.verification.fake_airflow import FakeAirflow

CRON = {"filename": "flights_daily.py", "stack_trace": "Traceback\n  …\nValueError: [0 25 * * *] is no schedule\n"}
SAID = "flights_daily.py: ValueError: [0 25 * * *] is no schedule"


class Processor(Clock):
    """Reads the files at set moments, and finds at each of them what is set for it: the errors, by file."""

    def __init__(self, fake: FakeAirflow) -> None:
        super().__init__()
        self.fake = fake
        self.planned: dict[int, list[dict[str, str]]] = {}
        self.read(-20)

    def read(self, moment: float, *errors: dict[str, str]) -> None:
        self.fake.errors = list(errors)
        broken = {error["filename"].removesuffix(".py") for error in errors}
        for name, dag in self.fake.dags.items():
            dag.update({"is_stale": True} if name in broken else {"is_stale": False, "last_parsed_time": str(moment)})

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        for moment in sorted(m for m in self.planned if m <= self.now):
            self.read(moment, *self.planned.pop(moment))


@pytest.fixture
def fake():
    return FakeAirflow(role="Viewer")


@pytest.fixture
def processor(fake, monkeypatch):
    return Processor(fake).rule(monkeypatch, _reading)


@pytest.fixture
def reading(fake, processor):
    return _reading.Reading(Airflow(fake, KeyPair(b"certificate", b"key")), 60)


def test_who_may_only_look_sees_that_all_is_well(reading, processor):
    processor.planned = {40: []}
    assert _reading.check_read(reading, "flights_daily").observed == "read at 40"
    assert _reading.check_import_errors(reading).observed == "none"
    assert processor.now < 45


def test_a_dag_that_was_broken_since_it_was_read_is_found(reading, processor):
    """It looks well at first: Airflow knows the DAG from before."""
    processor.planned = {10: [], 40: [CRON], 70: [CRON]}
    with pytest.raises(CheckFailed, match="there is no DAG flights_daily") as missing:
        _reading.check_read(reading, "flights_daily")
    with pytest.raises(CheckFailed) as broken:
        _reading.check_import_errors(reading)
    assert SAID in missing.value.observed
    assert broken.value.observed == SAID


def test_another_file_that_was_broken_since_it_was_read_is_found(fake, reading, processor):
    fake.dags["flights_daily"]["last_parsed_time"] = "0"
    fake.dags["maintenance"] = {"dag_id": "maintenance", "last_parsed_time": "0"}
    processor.planned = {44: [{"filename": "maintenance.py", "stack_trace": "ImportError: x"}]}
    with pytest.raises(CheckFailed, match=r"^maintenance\.py: ImportError: x$"):
        _reading.check_import_errors(reading)


def test_what_was_mended_a_moment_ago_is_read_anew(reading, processor):
    processor.read(-5, CRON)
    processor.planned = {20: []}
    assert _reading.check_import_errors(reading).status == "passed"
    assert _reading.check_read(reading, "flights_daily").status == "passed"


def test_files_that_are_not_read_again_are_no_proof(reading):
    with pytest.raises(CheckFailed, match="not read again within 60 s"):
        _reading.check_read(reading, "flights_daily")
    assert _reading.check_import_errors(reading).observed == "none (not read again: flights_daily)"


def test_a_verifications_own_dag_is_nobodys_error(fake, reading, processor):
    fake.dags["verification_0a"] = {"dag_id": "verification_0a"}
    processor.planned = {30: [{"filename": "verification_0a.py", "stack_trace": "SyntaxError"}]}
    assert _reading.check_import_errors(reading).observed == "none"


def test_more_dags_than_airflow_gives_at_a_time(fake, reading):
    fake.dags = {f"d{n:03}": {"dag_id": f"d{n:03}"} for n in range(250)}
    assert set(reading.airflow.readings()) == set(fake.dags)
