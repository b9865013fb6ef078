"""Databases follow their DB instances: started, stopped, restarted, and left alone while an account cannot be read."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from botocore.stub import Stubber

from rehearsal.databases import observer, reconciler
from rehearsal.databases.container import Running
from rehearsal.databases.model import Database
from rehearsal.errors import RehearsalError
from rehearsal.hosts import firewall, image
from rehearsal.hosts.model import Group, Rule, Snapshot, Vpc
from rehearsal.processes import Identity
from tests.unit.rehearsal.test_database_settings import database
from tests.unit.rehearsal.test_reconciler import Process

ACCOUNT = "111122223333"
VPC = Vpc("vpc-1", ACCOUNT, "10.20.0.0/16")
ONE = database()


class Containers:
    """Writes down what would be done with podman."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.present: dict[str, Running] = {}
        self.files: Mapping[str, bytes] = {}
        self.answers = True
        self._pids = itertools.count(100)

    def all(self) -> dict[str, Running]:
        return dict(self.present)

    def certificate(self, one: Database) -> tuple[bytes, bytes] | None:
        return None

    def write(self, one: Database, files: Mapping[str, bytes]) -> bool:
        changed, self.files = files != self.files, files
        return changed

    def start(self, one: Database, vpc: Vpc, script: str) -> Identity:
        self.calls.append("start")
        found = Process(next(self._pids), "1")
        self.present[one.key] = Running(one.key, found)
        return found

    def prepare(self, one: Database, statements: str) -> bool:
        self.calls.append("prepare")
        return self.answers

    def reload(self, one: Database) -> None:
        self.calls.append("reload")

    def stop(self, key: str) -> None:
        self.calls.append("stop")
        self.present[key] = Running(key, None)

    def remove(self, key: str) -> None:
        self.calls.append("remove")
        self.present.pop(key, None)

    def last_words(self, one: Database) -> str:
        return "out of memory"


class Site:
    """The reconciler over a world of plain values."""

    def __init__(self, folder: Path) -> None:
        self.containers = Containers()
        self.folder = folder
        self.groups = {"sg-1": Group("sg-1")}
        self.appoint()

    def appoint(self) -> None:
        self.databases = reconciler.Databases(None, self.folder)  # type: ignore[arg-type]
        self.databases.containers = self.containers  # type: ignore[assignment]

    def round(self, *databases: Database, complete: bool = True, known: bool = True) -> list[str]:
        """One round; what was done with containers in it."""
        self.containers.calls.clear()
        snapshot = Snapshot(ACCOUNT, "eu-central-1", (VPC,), databases=databases, groups=self.groups)
        found = {ACCOUNT: snapshot} if known else {}
        self.databases.reconcile(found, {ACCOUNT: None}, {"vpc-1": VPC}, complete)  # type: ignore[dict-item]
        return list(self.containers.calls)


@pytest.fixture
def secret() -> dict[str, str]:
    return {"version": "v1", "password": "first"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: dict[str, str]) -> Site:
    Process.dead.clear()
    monkeypatch.setattr(image, "ready", lambda podman: True)
    monkeypatch.setattr(observer, "password", lambda session, one: (secret["version"], secret["password"]))
    monkeypatch.setattr(reconciler, "SECRET_SECONDS", -1.0)
    made = Site(tmp_path)
    made.filters = []  # type: ignore[attr-defined]
    monkeypatch.setattr(firewall, "apply", lambda pid, script: made.filters.append(script))  # type: ignore[attr-defined]
    return made


def test_an_available_instance_gets_a_database_with_its_password(site: Site) -> None:
    assert site.round(ONE) == ["start"]
    assert site.round(ONE) == ["prepare"]
    assert site.round(ONE) == []
    assert site.databases.status["dev-airflow"]["state"] == "available"


def test_one_that_is_being_created_waits_for_its_name(site: Site) -> None:
    assert site.round(replace(ONE, state="creating", endpoint="")) == []


def test_it_is_starting_until_it_answers(site: Site) -> None:
    site.containers.answers = False
    site.round(ONE)
    site.round(ONE)
    assert site.databases.status["dev-airflow"]["state"] == "starting"
    assert not site.databases.problems


def test_one_that_never_answers_is_a_problem_with_its_last_words(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciler, "START_SECONDS", -1.0)
    site.containers.answers = False
    site.round(ONE)
    site.round(ONE)
    assert site.databases.problems == ["database dev-airflow: does not answer; it said last:\nout of memory"]


def test_another_secret_is_another_password(site: Site, secret: dict[str, str]) -> None:
    site.round(ONE)
    site.round(ONE)
    secret["version"] = "v2"
    assert site.round(ONE) == ["prepare"]


def test_stop_start_and_delete(site: Site) -> None:
    site.round(ONE)
    assert site.round(replace(ONE, state="stopping")) == ["stop"]
    assert site.round(replace(ONE, state="stopped")) == []
    assert site.round(ONE) == ["start"]
    assert site.round() == ["remove"]
    assert site.round() == []


def test_a_reboot_is_one_restart(site: Site) -> None:
    site.round(ONE)
    rebooting = replace(ONE, state="rebooting")
    assert [site.round(rebooting) for _ in range(4)] == [["stop"], ["start"], ["prepare"], []]
    assert site.round(ONE) == []


def test_a_killed_one_is_started_again(site: Site) -> None:
    site.round(ONE)
    Process.dead.add(site.databases.status["dev-airflow"]["pid"])
    assert site.round(ONE) == ["start"]


def test_one_that_ends_while_it_is_spoken_to_is_no_problem(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """psql runs in the container, so whatever ends PostgreSQL ends that too."""

    def end(one: Database, statements: str) -> bool:
        site.containers.stop(one.key)
        raise RehearsalError("can only create exec sessions on running containers")

    site.round(ONE)
    monkeypatch.setattr(reconciler, "RETRY_SECONDS", 0.0)
    with monkeypatch.context() as once:
        once.setattr(site.containers, "prepare", end)
        site.round(ONE)
    assert not site.databases.problems
    assert site.round(ONE) == ["start"]


def test_a_killed_one_that_does_not_start_again_is_a_problem(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: Database, vpc: Vpc, script: str) -> Identity:
        raise RehearsalError("no space")

    site.round(ONE)
    Process.dead.add(site.databases.status["dev-airflow"]["pid"])
    site.containers.stop(ONE.key)
    monkeypatch.setattr(site.containers, "start", refuse)
    site.round(ONE)
    assert site.databases.problems == ["database dev-airflow: no space"]


def test_a_new_supervisor_adopts_what_runs(site: Site) -> None:
    site.round(ONE)
    site.appoint()
    assert site.round(ONE) == ["prepare"]
    assert len(site.filters) == 1, "its packet filter is set anew"  # type: ignore[attr-defined]


def test_changed_parameters_are_read(site: Site) -> None:
    site.round(ONE)
    site.round(ONE)
    assert site.round(replace(ONE, parameters={"log_statement": "ddl"})) == ["reload"]


def test_a_packet_filter_follows_its_groups(site: Site) -> None:
    site.round(ONE)
    site.groups = {"sg-1": Group("sg-1", ingress=(Rule("tcp", (5432, 5432), networks=("10.20.0.0/16",)),))}
    site.round(ONE)
    assert "5432" in site.filters[-1]  # type: ignore[attr-defined]


def test_an_account_that_cannot_be_read_loses_nothing(site: Site) -> None:
    site.round(ONE)
    assert site.round(complete=False, known=False) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"engine": "mysql"}, "PostgreSQL 17 only"), ({"secret_arn": ""}, "manage_master_user_password")],
)
def test_what_cannot_be_is_said(site: Site, changed: dict[str, str], said: str) -> None:
    assert site.round(replace(ONE, **changed)) == []  # type: ignore[arg-type]
    assert said in site.databases.problems[0]


def test_one_databases_trouble_is_not_anothers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(one: Database, vpc: Vpc, script: str) -> Identity:
        raise RehearsalError("no space")

    other = replace(ONE, resource_id="db-XYZ", identifier="ppd-airflow")
    monkeypatch.setattr(site.containers, "start", refuse)
    site.round(ONE, other)
    assert site.databases.problems == ["database dev-airflow: no space", "database ppd-airflow: no space"]


class Unanswered:
    """An account whose Secrets Manager answers with an error."""

    def __init__(self, code: str) -> None:
        self._client = boto3.client(
            "secretsmanager", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.stub = Stubber(self._client)
        self.stub.add_client_error("get_secret_value", code)
        self.stub.activate()

    def client(self, service: str) -> object:
        return self._client


def test_a_secret_that_went_with_its_instance_is_no_trouble() -> None:
    """An instance can be deleted between the moment it is listed and the moment its secret is asked for."""
    assert observer.password(Unanswered("ResourceNotFoundException"), ONE) is None  # type: ignore[arg-type]
    with pytest.raises(RehearsalError, match="its master secret cannot be read"):
        observer.password(Unanswered("InternalServiceError"), ONE)  # type: ignore[arg-type]
