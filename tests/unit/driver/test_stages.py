"""Stages over a platform with Airflow, and over one that was built before it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from driver import fleets, terraform_events
from driver.ansible_events import Failure, Outcome
from driver.errors import DriverError, Interrupted
from driver.run import Stage
from driver.stages import STAGES, access, configuration, evidence, hosts, pipelines, verification
from driver.verbs import drift
from tests.support.clock import Clock
from tests.unit.driver.fakes import fake_run

ROOT = Path(__file__).resolve().parents[3]
PASSED = {"name": "a", "subject": "b", "expected": "c", "observed": "d", "status": "passed", "detail": ""}
FAILED = {**PASSED, "name": "pipeline:gold", "observed": "3 rows", "status": "failed"}
LAKE = {"bronze": {"objects": 1, "bytes": 2}, "tables": [], "last_run": None}


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    Clock().rule(monkeypatch, hosts)


def played(run) -> list[str]:
    return [playbook for playbook, _ in run.ansible.played]


def test_pipelines_come_after_access_and_before_verification():
    names = list(STAGES)
    assert names[names.index("pipelines") - 1 : names.index("pipelines") + 2] == ["access", "pipelines", "verification"]


def test_hosts_from_before_a_change_of_their_template_are_named(tmp_path, stage):
    run, shown = fake_run(tmp_path)
    hosts.run(run, stage)
    assert "launch template" not in shown.getvalue()
    run.account.older["dev-nifi"] = ["i-nifi"]
    hosts.run(run, stage)
    assert "dev-nifi: i-nifi launched before its launch template changed" in shown.getvalue()
    assert "Replacing hosts" in (ROOT / "docs" / "on-aws.md").read_text()


def test_hosts_of_every_group_are_waited_for(tmp_path, stage):
    run, shown = fake_run(tmp_path)
    run.account.groups["dev-airflow-core"] = [(2, []), (2, ["i-core"]), (2, ["i-core", "i-core-2"])]
    hosts.run(run, stage)
    assert "dev-airflow-core has 0 of 2" in shown.getvalue()
    assert "dev-airflow-core has 1 of 2" in shown.getvalue()
    assert run.ansible.played == [
        ("wait-for-hosts.yml", {"expected_groups": ["nifi", "airflow"], "fresh_inventory": True})
    ]
    roles = [(node["role"], node["instance_id"]) for node in run.record.nodes]
    assert roles == [("nifi", "i-nifi"), ("airflow", "i-web"), ("airflow", "i-core"), ("airflow", "i-core-2")]
    assert stage.detail.startswith("nifi i-nifi (10.0.0.6), airflow i-web (")


def test_hosts_that_can_not_be_reached_are_named_with_the_playbooks_log(tmp_path, stage, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run, _ = fake_run(tmp_path)
    failures = [Failure("i-nifi", "Wait", "no connection")]
    run.ansible.outcomes["wait-for-hosts.yml"] = Outcome(failures=failures, code=2)
    with pytest.raises(DriverError, match="i-nifi: Wait: no connection") as error:
        hosts.run(run, stage)
    assert error.value.fix.endswith("the whole output is in .cache/runs/dev/run/logs/wait-for-hosts.log")


def test_a_platform_without_airflow_has_nifi_hosts_only(tmp_path, stage):
    run, _ = fake_run(tmp_path, airflow=False)
    hosts.run(run, stage)
    assert run.ansible.played[0][1]["expected_groups"] == ["nifi"]
    assert [node["role"] for node in run.record.nodes] == ["nifi"]


def test_a_group_that_wants_nothing_is_an_error(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    run.account.groups["dev-airflow-core"] = [(0, [])]
    with pytest.raises(DriverError, match="dev-airflow-core wants no hosts") as error:
        hosts.run(run, stage)
    assert "desired capacity of airflow" in error.value.fix


def test_a_group_that_gets_no_hosts_is_named(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    run.account.groups["dev-airflow-web"] = [(2, ["i-web"])]
    with pytest.raises(DriverError, match="lack hosts after 900 s: dev-airflow-web has 1 of 2") as error:
        hosts.run(run, stage)
    assert "--auto-scaling-group-name dev-airflow-web" in error.value.fix


def test_nifi_and_airflow_are_configured_at_the_same_time(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    together, play = threading.Barrier(2), run.ansible.run

    def meet(*arguments, **options):
        together.wait(10)
        return play(*arguments, **options)

    run.ansible.run = meet
    configuration.run(run, stage)
    assert sorted(played(run)) == ["configure-airflow.yml", "configure-nifi.yml"]


def test_a_platform_without_airflow_configures_nifi(tmp_path, stage):
    run, _ = fake_run(tmp_path, airflow=False)
    configuration.run(run, stage)
    assert played(run) == ["configure-nifi.yml"]


def test_what_failed_on_either_side_is_told(tmp_path, stage):
    run, _ = fake_run(tmp_path)

    def fail(playbook, *_arguments, **_options):
        if playbook == "configure-nifi.yml":
            raise DriverError("configure-nifi.yml ended with code 4", "look there")
        failures = [Failure("i-web", "Run Airflow", "no space left")]
        return Outcome(failures=failures, changed=[("i-web", "Make folders")], code=2)

    run.ansible.run = fail
    with pytest.raises(
        DriverError, match=r"(?s)nifi.yml ended with code 4.*i-web: Run Airflow: no space left"
    ) as error:
        configuration.run(run, stage)
    assert "look there" in error.value.fix
    assert run.record.ansible == 1  # what was changed before it failed


def test_an_interrupted_configuration_ends_as_one(tmp_path, stage):
    run, _ = fake_run(tmp_path)

    def stop(*_arguments, **_options):
        run.processes.interrupted.set()
        raise Interrupted

    run.ansible.run = stop
    with pytest.raises(Interrupted):
        configuration.run(run, stage)


def test_pipelines_with_check_change_nothing(tmp_path, stage):
    run, _ = fake_run(tmp_path, check=True)
    pipelines.run(run, stage)
    assert run.ansible.played == [("deploy-pipelines.yml", {"check": True})]


def test_pipelines_without_airflow_are_skipped(tmp_path, stage):
    run, _ = fake_run(tmp_path, airflow=False)
    pipelines.run(run, stage)
    assert (stage.status, run.ansible.played) == ("skipped", [])
    assert "without Airflow" in stage.detail


def verified(run, **reports) -> None:
    run.ansible.reports = {f"{name.replace('_', '-')}.yml": report for name, report in reports.items()}


def test_both_verifications_end_in_one_record(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]}, verify_pipelines={"checks": [PASSED, PASSED], "lake": LAKE})
    verification.run(run, stage)
    assert stage.detail == "3 passed"
    assert (len(run.record.checks), run.record.lake) == (3, LAKE)
    told = {playbook: options["verification_progress"] for playbook, options in run.ansible.played}
    assert told["verify-pipelines.yml"].endswith("verify-pipelines.progress")


def test_a_failed_check_of_a_pipeline_says_what_was_seen(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]}, verify_pipelines={"checks": [FAILED], "lake": LAKE})
    with pytest.raises(DriverError, match=r"1 of 2 checks failed:\n  pipeline:gold \(b\): expected c, observed 3 rows"):
        verification.run(run, stage)
    assert stage.detail == "1 passed, 1 failed"
    assert len(run.record.checks) == 2


def test_both_verifications_go_on_at_the_same_time(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]}, verify_pipelines={"checks": [PASSED]})
    together, play = threading.Barrier(2), run.ansible.run

    def meet(*arguments, **options):
        together.wait(10)
        return play(*arguments, **options)

    run.ansible.run = meet
    verification.run(run, stage)
    assert stage.detail == "2 passed"


def test_a_verification_that_can_not_run_hides_nothing_of_the_other(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]})
    play = run.ansible.run

    def broken(playbook, *arguments, **options):
        if playbook == "verify-pipelines.yml":
            raise DriverError("no inventory")
        return play(playbook, *arguments, **options)

    run.ansible.run = broken
    with pytest.raises(DriverError, match="no inventory"):
        verification.run(run, stage)
    assert run.record.checks == [PASSED]


def test_a_verification_without_checks_is_no_success(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]})
    with pytest.raises(DriverError, match=r"verify-pipelines\.yml made no checks"):
        verification.run(run, stage)


def test_a_playbook_that_breaks_is_an_error_of_its_own(tmp_path, stage):
    run, _ = fake_run(tmp_path)
    verified(run, verify={"checks": [PASSED]})
    run.ansible.outcomes["verify-pipelines.yml"] = Outcome(
        failures=[Failure("localhost", "Write the flights", "no module")], code=2
    )
    with pytest.raises(DriverError, match="localhost: Write the flights: no module"):
        verification.run(run, stage)


def test_without_airflow_only_logins_are_verified(tmp_path, stage):
    run, _ = fake_run(tmp_path, airflow=False)
    verified(run, verify={"checks": [PASSED]})
    verification.run(run, stage)
    assert played(run) == ["verify.yml"]


def test_evidence_names_the_nodes_of_both(tmp_path, stage, monkeypatch):
    run, _ = fake_run(tmp_path)
    run.record.users = [{"user": "alice"}]
    evidence.run(run, stage)
    states = [(node["role"], node["state"]) for node in run.record.nodes]
    # (a scheduler's host is behind no balancer: its state is EC2's)
    assert states == [("nifi", "healthy"), ("airflow", "unhealthy"), ("airflow", "running")]


@pytest.mark.parametrize("airflow", [True, False])
def test_drift_looks_at_pipelines_where_there_are_some(tmp_path, monkeypatch, airflow):
    run, _ = fake_run(tmp_path, airflow=airflow)

    class Terraform:
        def plan(self, *_, **__):
            return terraform_events.Outcome()

    monkeypatch.setattr(drift.conduct, "begin", lambda run: None)
    monkeypatch.setattr(drift.preflight, "reaches_hosts", lambda *_: None)
    monkeypatch.setattr(drift.state, "pending", lambda run: [])
    monkeypatch.setattr(drift.state, "prepared", lambda run: (Terraform(), True))
    monkeypatch.setattr(drift.state, "var_files", lambda run: [])
    assert drift.run(run) == 0
    assert ("deploy-pipelines.yml" in played(run)) is airflow
    assert all(options["check"] for _, options in run.ansible.played)


def test_fleets_are_read_from_the_platform(tmp_path):
    run, _ = fake_run(tmp_path)
    assert [(f.name, f.groups) for f in fleets.of(run.platform)] == [
        ("nifi", ("dev-nifi",)),
        ("airflow", ("dev-airflow-web", "dev-airflow-core")),
    ]


@pytest.mark.parametrize(
    ("options", "skipped"),
    [
        ({}, ("rules",)),
        ({"only": ("configuration", "access")}, ("rules",)),
        ({"only": ("access",)}, ()),
        ({"only": ("configuration", "access"), "tags": ("nifi",)}, ()),
        ({"limit": "nifi"}, ()),
    ],
)
def test_a_role_that_is_taken_away_is_gone_everywhere(tmp_path, stage, options, skipped):
    """Airflow and the edges read the rules too: from stage configuration, or from this one."""
    run, _ = fake_run(tmp_path, **options)
    access.run(run, stage)
    assert [played["skip_tags"] for _, played in run.ansible.played] == [skipped]
