"""Hosts of a new environment are prepared while Terraform waits, and nothing depends on it."""

from __future__ import annotations

import threading

import pytest

from driver.ansible_events import Failure, Outcome
from driver.errors import DriverError
from driver.stages import preparation
from tests.unit.driver.fakes import AIRFLOW, NIFI, fake_run

CREATED = (preparation.PARAMETER, "create")
PATIENCE = 10.0


def new(folder, **options):
    """A run whose Terraform has made hosts, and neither balancer nor database yet."""
    run, shown = fake_run(folder, **options)
    run.account.documents["preparation"] = {"nifi": NIFI, "airflow": AIRFLOW}
    return run, shown


def applied(run, *told):
    with preparation.beside(run) as tell:
        for address, action in told:
            tell(address, action)
    return dict(run.ansible.played)


def test_hosts_are_prepared_with_what_is_known_before_the_database(tmp_path):
    run, shown = new(tmp_path)
    played = applied(run, ("module.platform.aws_vpc.this", "create"), CREATED)
    assert list(played) == ["wait-for-hosts.yml", "configure-nifi.yml", "configure-airflow.yml"]
    assert {options["platform_document"] for options in played.values()} == {"preparation"}
    for playbook in ("configure-nifi.yml", "configure-airflow.yml"):
        assert "edge" in played[playbook]["skip_tags"]
        assert "airflow" not in played[playbook]["tags"]
    assert "hosts are prepared: 6 tasks" in shown.getvalue()


@pytest.mark.parametrize("told", [("module.platform.aws_vpc.this", "create"), (preparation.PARAMETER, "update")])
def test_other_changes_prepare_nothing(tmp_path, told):
    run, _ = new(tmp_path)
    assert applied(run, told) == {}


def test_hosts_that_serve_are_left_alone(tmp_path):
    run, _ = new(tmp_path)
    run.account.documents["platform"] = {"nifi": NIFI}
    assert applied(run, CREATED) == {}


@pytest.mark.parametrize("options", [{"only": ("infrastructure",)}, {"limit": "i-nifi"}, {"tags": ("edge",)}])
def test_who_chose_parts_of_a_run_gets_these_alone(tmp_path, options):
    run, _ = new(tmp_path, **options)
    assert applied(run, CREATED) == {}


def test_what_fails_is_told_and_left_to_the_stage(tmp_path):
    run, shown = new(tmp_path)
    failure = Failure("i-nifi", "Install the archive", "there is no such object yet")
    run.ansible.outcomes["configure-nifi.yml"] = Outcome(failures=[failure], code=2)
    assert "configure-airflow.yml" in applied(run, CREATED)
    assert "stage configuration tries again" in shown.getvalue()
    assert "there is no such object yet" in shown.getvalue()


def test_hosts_that_cannot_be_reached_get_no_playbook(tmp_path):
    run, shown = new(tmp_path)
    failure = Failure("i-nifi", "Wait for the connection", "timed out")
    run.ansible.outcomes["wait-for-hosts.yml"] = Outcome(failures=[failure], code=4)
    assert list(applied(run, CREATED)) == ["wait-for-hosts.yml"]
    assert "timed out" in shown.getvalue()


def test_an_apply_that_fails_ends_it(tmp_path, monkeypatch):
    run, shown = new(tmp_path)
    at_work, seen = threading.Event(), []

    def until_cancelled(playbook, *_, **__):
        at_work.set()
        while not run.ansible.cancelled():
            threading.Event().wait(0.01)
        seen.append(playbook)
        raise DriverError("cancelled")

    monkeypatch.setattr(run.ansible, "run", until_cancelled)

    def apply():
        with preparation.beside(run) as tell:
            tell(*CREATED)
            assert at_work.wait(PATIENCE)
            raise DriverError("terraform apply: quota of databases")

    with pytest.raises(DriverError, match="quota"):
        apply()
    assert seen == ["wait-for-hosts.yml"]
    assert "tries again" not in shown.getvalue()
