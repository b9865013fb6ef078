"""--tags and --limit that choose nothing are refused, by Ansible's own word, with what there is to choose."""

from __future__ import annotations

import dataclasses

import pytest

from driver.ansible import Ansible
from driver.errors import DriverError, Refused
from driver.run import Stage
from driver.stages import configuration
from driver.verbs import apply
from tests.unit.driver.fakes import SOURCE, fake_run

HOSTS = "all:\n  children:\n    nifi: {hosts: {i-1: {}}}\n    airflow: {hosts: {i-2: {}}}\n"
CONFIGURATION = ("configuration",)


@pytest.fixture
def chosen(tmp_path):
    """A run of the project's own playbooks with some options, whose inventory has two hosts."""
    for name in ("ansible", "collections"):
        (tmp_path / name).symlink_to(SOURCE / name)
    (tmp_path / "inventories" / "dev").mkdir(parents=True)
    (tmp_path / "inventories" / "dev" / "hosts.yml").write_text(HOSTS)

    def make(**options):
        run, _ = fake_run(tmp_path)
        run.options = dataclasses.replace(run.options, **options)
        run.__dict__["ansible"] = Ansible(run.project, "dev", run.processes, run.progress, run.folder)
        return run

    return make


@pytest.mark.parametrize("limit", ["nifi", "~i-.*,localhost"])
def test_hosts_that_there_are(chosen, limit):
    configuration.choose(chosen(limit=limit), CONFIGURATION)


@pytest.mark.parametrize(("limit", "lost"), [("nfi", "nfi"), ("nifi,airflw", "airflw"), ("nifi:!nifi", "nifi:!nifi")])
def test_a_limit_that_matches_no_host(chosen, limit, lost):
    with pytest.raises(Refused) as refused:
        configuration.choose(chosen(limit=limit), CONFIGURATION)
    assert refused.value.message == f"--limit {limit}: no host of dev is {lost}"
    assert refused.value.fix == "there are the groups airflow, nifi and the hosts i-1, i-2"


@pytest.mark.parametrize(
    ("limit", "names"),
    [("nifi:airflow", "i-1,i-2"), ("!i-1", "i-2"), ("all:&nifi", "i-1"), ("nifi,airflow", "i-1,i-2")],
)
def test_the_hosts_that_a_pattern_means_are_played_on_by_name(chosen, monkeypatch, limit, names):
    """Beside localhost `!i-1` would mean localhost alone."""
    played = []
    monkeypatch.setattr(configuration.playbooks, "play_together", lambda *_, limit, **__: played.append(limit))
    monkeypatch.setattr(configuration.playbooks, "changed", lambda outcome: "")
    configuration.run(chosen(limit=limit), Stage())
    assert played == [names]


def test_a_limit_where_there_are_no_hosts(chosen, tmp_path):
    (tmp_path / "inventories" / "dev" / "hosts.yml").write_text("all: {}\n")
    with pytest.raises(Refused, match="no host of dev is nifi") as refused:
        configuration.choose(chosen(limit="nifi"), CONFIGURATION)
    assert refused.value.fix == "there are no hosts yet: run without --limit"


def test_an_inventory_that_can_not_be_read(chosen, tmp_path):
    (tmp_path / "inventories" / "dev" / "hosts.yml").write_text("all: [\n")
    with pytest.raises(Refused, match="ansible ended with code"):
        configuration.choose(chosen(limit="nifi"), CONFIGURATION)


def test_hosts_that_were_replaced_in_the_meantime(chosen):
    """By then something was changed: a failure, and nothing is configured."""
    with pytest.raises(DriverError, match="no host of dev is i-0") as error:
        configuration.run(chosen(limit="i-0"), Stage())
    assert error.value.code == 1


def test_tags_that_there_are(chosen):
    configuration.choose(chosen(tags=("nifi", "airflow_install, edge")), CONFIGURATION)


def test_a_tag_that_no_task_has(chosen):
    with pytest.raises(Refused) as refused:
        configuration.choose(chosen(tags=("nifi", "airflw")), CONFIGURATION)
    assert refused.value.message == ("--tags airflw: no task of configure-nifi.yml and configure-airflow.yml has it")
    assert refused.value.fix == "there are airflow, airflow_install, edge, nifi, nifi_wait, node_base"


@pytest.mark.parametrize("only", [CONFIGURATION, ("infrastructure", *CONFIGURATION)])
def test_a_tag_of_what_is_yet_to_be_built(chosen, monkeypatch, only):
    asked = []
    monkeypatch.setattr(configuration.selection, "tags", lambda run, playbooks: asked.extend(playbooks))
    run = chosen(tags=("airflow",))
    run.__dict__["platform"] = {**run.platform, "airflow": None}
    configuration.choose(run, only)
    assert ("configure-airflow.yml" in asked) is ("infrastructure" in only)


def test_nothing_begins_before_that(chosen, monkeypatch):
    monkeypatch.setattr(apply.conduct, "begin", lambda run, start: None)
    monkeypatch.setattr(apply.preflight, "reaches_hosts", lambda *_: None)
    monkeypatch.setitem(apply.STAGES, "infrastructure", lambda run, stage: pytest.fail("it began"))
    with pytest.raises(Refused):
        apply.run(chosen(limit="nfi"))
