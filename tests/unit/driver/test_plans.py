"""What Terraform would change is told and recorded, and what it only reads is no change."""

from __future__ import annotations

import pytest

from driver import state
from driver.run import Stage
from driver.stages import infrastructure
from driver.terraform_events import Outcome
from driver.verbs import drift
from tests.unit.driver.fakes import fake_run

PLANNED = [("data.aws_ami.this", "read"), ("aws_lb.this", "update"), ("aws_instance.this", "replace")]


@pytest.fixture
def planned(monkeypatch):
    """A plan as it comes from Terraform; the account's bootstrap would change too."""

    class Terraform:
        def plan(self, *_, **__):
            return Outcome({"create": 0, "update": 1, "delete": 0, "replace": 1}, list(PLANNED), code=2)

    monkeypatch.setattr(state, "pending", lambda run: [("aws_kms_key.state", "update")])
    monkeypatch.setattr(state, "prepared", lambda run: (Terraform(), True))
    monkeypatch.setattr(state, "var_files", lambda run: [])
    monkeypatch.setattr(drift.conduct, "begin", lambda run: None)
    monkeypatch.setattr(drift.preflight, "reaches_hosts", lambda *_: None)


def test_check_names_what_would_change(tmp_path, planned):
    run, shown = fake_run(tmp_path, check=True)
    infrastructure.run(run, Stage())
    lines = shown.getvalue().splitlines()
    assert lines == ["  ~ bootstrap: aws_kms_key.state", "  ~ aws_lb.this", "  ± aws_instance.this"]
    assert [(entry["stage"], entry["what"], entry["action"]) for entry in run.record.changed] == [
        ("bootstrap", "aws_kms_key.state", "update"),
        ("infrastructure", "aws_lb.this", "update"),
        ("infrastructure", "aws_instance.this", "replace"),
    ]
    assert run.record.terraform == {"create": 0, "update": 2, "delete": 0, "replace": 1}


def test_what_terraform_reads_is_no_difference(tmp_path, planned):
    run, shown = fake_run(tmp_path)
    assert drift.run(run) == 2
    assert "dev: 3 differences" in shown.getvalue()
    assert "data.aws_ami.this" not in shown.getvalue()
