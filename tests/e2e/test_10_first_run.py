"""From nothing to a login, though somebody keeps killing the run."""

from __future__ import annotations

import re

import pytest

from tests.support.rehearsal import WITHOUT_VERIFICATION, only

# Seconds into the stage at which the run is killed: in the middle of its work, not at its first line.
KILLS = {
    "preflight": 0.0,
    "infrastructure": 25.0,
    "hosts": 0.5,
    "certificates": 4.0,
    "configuration": 20.0,
    "access": 2.0,
    "pipelines": 3.0,
    "verification": 8.0,
}


@pytest.mark.slow
@pytest.mark.parametrize("stage", KILLS)
def test_a_run_can_be_killed_in(stage, rehearsal):
    """Acceptance 5: what follows (the next kill, and the run below) has to start from what this leaves."""
    rehearsal.run_until_killed(stage, KILLS[stage])


@pytest.mark.converges
def test_the_next_run_converges(rehearsal):
    """Acceptance 1: exit 0, and a summary that says where, who, how, and where the record is."""
    output = rehearsal.run("--yes").stdout
    assert "https://nifi.dev.rehearsal.localhost" in output
    assert "https://airflow.dev.rehearsal.localhost" in output
    assert re.search(r"alice\b.*engineer", output)
    assert re.search(r"bob\b.*viewer", output)
    assert "certificates export" in output
    assert "record.html" in output
    if "module.platform.aws_ssm_parameter.preparation: created" in output:  # in no earlier run that was killed
        assert "hosts are prepared: " in output


@pytest.mark.converges
def test_every_check_of_the_verification_passed(rehearsal):
    """Acceptance 4: each refusal by its own check."""
    checks = {check["name"]: check for check in rehearsal.record()["checks"]}
    bad = {name: check for name, check in checks.items() if check["status"] not in ("passed", "computed")}
    assert not bad
    wanted = {
        "refused:no-certificate",
        "refused:other-ca",
        "refused:lapsed",
        "refused:revoked-edge",
        "refused:revoked-balancer",
        "refused:reserved-proxy",
        "refused:reserved-node",
        "refused:reserved-automation",
        "refused:direct-edge",
        "refused:direct-node",
        "refused:spoofed-dashes",
        "refused:spoofed-underscores",
        "refused:cross-site-origin",
        "login:engineer",
        "login:viewer",
        "access:alice",
        "access:bob",
    }
    assert wanted <= set(checks)


@pytest.mark.converges
def test_a_second_run_changes_nothing(rehearsal):
    """Acceptance 2. That a whole run changes nothing, its verification included, is seen by a later one in test_30."""
    rehearsal.run("--yes", *only(*WITHOUT_VERIFICATION))
    changes = rehearsal.record()["changes"]
    assert changes["terraform"] == {"create": 0, "update": 0, "delete": 0, "replace": 0}
    assert changes["ansible"] == 0


def test_a_plan_of_what_is_there_is_empty(dev):
    assert "no changes" in dev.run("plan", expect=0).stdout.lower()


@pytest.mark.parametrize("env", ["ppd", "prod"])
def test_a_plan_of_another_environment_only_creates(env, dev):
    """Acceptance 2: exit 2; nothing is written by a plan."""
    from tests.support.rehearsal import Rehearsal

    output = Rehearsal(env).run("plan", expect=2).stdout
    assert re.search(r"\b[1-9]\d* to (create|add)\b", output), output[-2000:]
    assert not re.search(r"\b[1-9]\d* to (change|update|delete|destroy|replace)\b", output), output[-2000:]
