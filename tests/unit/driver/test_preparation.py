"""Hosts of a new environment are prepared while Terraform waits, and nothing depends on it."""

from __future__ import annotations

import re
import threading

import pytest

from driver.ansible_events import Failure, Outcome
from driver.errors import DriverError, Interrupted
from driver.stages import hosts, preparation
from tests.unit.driver.fakes import AIRFLOW, NIFI, SOURCE, fake_run

HOSTS = ("module.platform.module.nifi.aws_autoscaling_group.this", "create")
CREATED = (preparation.PARAMETER, "create")
PATIENCE = 10.0
DOCUMENT = SOURCE / "terraform" / "modules" / "platform" / "document.tf"


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
    played = applied(run, HOSTS, CREATED)
    assert next(iter(played)) == "wait-for-hosts.yml"
    assert set(played) == {"wait-for-hosts.yml", "configure-nifi.yml", "configure-airflow.yml"}
    assert {options["platform_document"] for options in played.values()} == {"preparation"}
    for playbook in ("configure-nifi.yml", "configure-airflow.yml"):
        assert "edge" in played[playbook]["skip_tags"]
        assert "airflow" not in played[playbook]["tags"]
    assert "hosts are prepared: 6 tasks" in shown.getvalue()


@pytest.mark.parametrize("told", [("module.platform.aws_vpc.this", "create"), (preparation.PARAMETER, "update")])
def test_other_changes_prepare_nothing(tmp_path, told):
    run, _ = new(tmp_path)
    assert applied(run, HOSTS, told) == {}


def test_hosts_that_were_there_before_are_left_alone(tmp_path):
    """A destroy that was interrupted takes the documents first."""
    run, _ = new(tmp_path)
    assert applied(run, (HOSTS[0], "update"), CREATED) == {}


def test_instances_are_waited_for(tmp_path, monkeypatch):
    """AWS makes an Auto Scaling group at once, and its instances in a minute."""
    monkeypatch.setattr(hosts, "LOOK", 0.01)
    run, shown = new(tmp_path)
    run.account.groups["dev-airflow-core"] = [(2, []), (2, ["i-core"]), (2, ["i-core", "i-core-2"])]
    assert list(applied(run, HOSTS, CREATED))[:1] == ["wait-for-hosts.yml"]
    assert "dev-airflow-core has 1 of 2" in shown.getvalue()


def test_what_starts_it_is_what_terraform_has(tmp_path):
    """And it is there early: nothing in it waits for the balancer or the database."""
    kind, name = preparation.PARAMETER.removeprefix("module.platform.").split(".")
    text = DOCUMENT.read_text()
    assert f'resource "{kind}" "{name}"' in text
    for environment in (SOURCE / "terraform" / "environments").glob("*/main.tf"):
        assert 'module "platform" {' in environment.read_text()
    known = re.search(r"^  preparation = \{\n(.*?)^  \}\n", text, re.MULTILINE | re.DOTALL)
    assert known
    assert "module.airflow.asg_names" in known[1]
    assert not re.search(r"module\.networking\.alb|module\.airflow\.database", known[1])


def test_hosts_that_serve_are_left_alone(tmp_path):
    run, _ = new(tmp_path)
    run.account.documents["platform"] = {"nifi": NIFI}
    assert applied(run, HOSTS, CREATED) == {}


@pytest.mark.parametrize("options", [{"only": ("infrastructure",)}, {"limit": "i-nifi"}, {"tags": ("edge",)}])
def test_who_chose_parts_of_a_run_gets_these_alone(tmp_path, options):
    run, _ = new(tmp_path, **options)
    assert applied(run, HOSTS, CREATED) == {}


def test_what_fails_is_told_and_left_to_the_stage(tmp_path):
    run, shown = new(tmp_path)
    failure = Failure("i-nifi", "Install the archive", "there is no such object yet")
    run.ansible.outcomes["configure-nifi.yml"] = Outcome(failures=[failure], code=2)
    assert "configure-airflow.yml" in applied(run, HOSTS, CREATED)
    assert "stage configuration tries again" in shown.getvalue()
    assert "there is no such object yet" in shown.getvalue()


def test_hosts_that_cannot_be_reached_get_no_playbook(tmp_path):
    run, shown = new(tmp_path)
    failure = Failure("i-nifi", "Wait for the connection", "timed out")
    run.ansible.outcomes["wait-for-hosts.yml"] = Outcome(failures=[failure], code=4)
    assert list(applied(run, HOSTS, CREATED)) == ["wait-for-hosts.yml"]
    assert "timed out" in shown.getvalue()


@pytest.mark.parametrize("error", [DriverError("throttled"), KeyError("nifi"), OSError("no space left on device")])
def test_whatever_fails_the_apply_goes_on(tmp_path, monkeypatch, error):
    """An error while Terraform is read would leave it alone with the state's lock."""
    run, shown = new(tmp_path)

    def unreadable(*_):
        raise error

    monkeypatch.setattr(run.account, "platform", unreadable)
    assert applied(run, HOSTS, CREATED) == {}
    assert "tries again" in shown.getvalue()


def test_who_interrupts_is_not_told_about_it(tmp_path, monkeypatch):
    run, shown = new(tmp_path)

    def interrupted(*_, **__):
        raise Interrupted

    monkeypatch.setattr(run.ansible, "run", interrupted)
    applied(run, HOSTS, CREATED)
    assert "tries again" not in shown.getvalue()


class AtWork:
    """A playbook that runs until it is cancelled, or may end."""

    def __init__(self, run, monkeypatch, slow):
        self.ansible, self.slow, self.begun, self.may_end = run.ansible, slow, threading.Event(), threading.Event()
        self.play, self.cut = run.ansible.run, []
        monkeypatch.setattr(run.ansible, "run", self.run)

    def run(self, playbook, *arguments, **options):
        if playbook == self.slow:
            self.begun.set()
            for _ in range(int(PATIENCE / 0.01)):
                if self.ansible.cancelled():
                    self.cut.append(playbook)
                    raise DriverError("cancelled")
                if self.may_end.wait(0.01):
                    break
        return self.play(playbook, *arguments, **options)


def failing_apply(run, work, ends=False):
    with preparation.beside(run) as tell:
        for told in (HOSTS, CREATED):
            tell(*told)
        assert work.begun.wait(PATIENCE)
        if ends:
            threading.Timer(0.1, work.may_end.set).start()
        raise DriverError("terraform apply: quota of databases")


def test_an_apply_that_fails_ends_the_wait_for_hosts(tmp_path, monkeypatch):
    run, shown = new(tmp_path)
    work = AtWork(run, monkeypatch, "wait-for-hosts.yml")
    with pytest.raises(DriverError, match="quota"):
        failing_apply(run, work)
    assert work.cut == ["wait-for-hosts.yml"]
    assert run.ansible.played == []
    assert "tries again" not in shown.getvalue()


def test_an_apply_that_fails_cuts_off_no_installation(tmp_path, monkeypatch):
    run, _ = new(tmp_path)
    work = AtWork(run, monkeypatch, "configure-nifi.yml")
    with pytest.raises(DriverError, match="quota"):
        failing_apply(run, work, ends=True)
    assert work.cut == []
    assert "configure-nifi.yml" in dict(run.ansible.played)
