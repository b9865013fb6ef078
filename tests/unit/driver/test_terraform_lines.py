"""Terraform's machine-readable lines become counts, progress and errors."""

from __future__ import annotations

import json

from driver.terraform import Terraform
from driver.terraform_events import Reader
from tests.unit.driver.fakes import view


def change(address: str, action: str) -> str:
    return json.dumps({"type": "planned_change", "change": {"resource": {"addr": address}, "action": action}})


def hook(kind: str, address: str, action: str) -> str:
    return json.dumps({"type": kind, "hook": {"resource": {"addr": address}, "action": action}})


def read(*lines: str):
    progress, text = view()
    progress.begin("infrastructure")
    reader = Reader(progress)
    for line in lines:
        reader.line(line)
    return reader, text


def test_a_plan_is_counted():
    reader, _ = read(
        change("aws_vpc.this", "create"),
        change("aws_subnet.a", "create"),
        change("aws_lb.this", "update"),
        change("aws_instance.old", "delete"),
        change("aws_launch_template.this", "replace"),
        change("data.aws_iam_policy_document.x", "read"),
        change("aws_s3_bucket.moved", "move"),
    )
    outcome = reader.outcome
    assert outcome.changes == {"create": 2, "update": 1, "delete": 1, "replace": 1}
    assert outcome.summary() == "2 to create, 1 to change, 1 to replace, 1 to destroy"
    assert outcome.done() == "2 created, 1 changed, 1 replaced, 1 destroyed"
    assert outcome.any_change


def test_nothing_to_do():
    reader, _ = read(change("data.aws_ami.x", "read"))
    assert reader.outcome.summary() == "no changes"
    assert not reader.outcome.any_change


def test_resources_are_shown_when_done():
    _, text = read(hook("apply_start", "aws_vpc.this", "create"), hook("apply_complete", "aws_vpc.this", "create"))
    assert "aws_vpc.this: created" in text.getvalue()


def test_errors_name_address_file_and_line():
    diagnostic = {
        "severity": "error",
        "summary": "creating VPC",
        "detail": "Limit\nexceeded",
        "address": "aws_vpc.this",
        "range": {"filename": "main.tf", "start": {"line": 3}},
    }
    reader, _ = read(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    assert reader.outcome.errors == ["aws_vpc.this (main.tf:3): creating VPC: Limit exceeded"]


def test_a_held_lock_is_known():
    diagnostic = {"severity": "error", "summary": "Error acquiring the state lock", "detail": "Who: a@b"}
    reader, _ = read(json.dumps({"type": "diagnostic", "diagnostic": diagnostic}))
    assert reader.outcome.lock_held


def test_lines_that_are_no_json_are_kept():
    reader, _ = read("panic: something", '{"type": "version", "terraform": "1.11.4"}')
    assert reader.unread == ["panic: something"]
    assert reader.outcome.version == "1.11.4"


def test_warnings_of_a_plan_are_shown_once(tmp_path):
    """Terraform itself says each of them for every instance of a resource."""
    diagnostic = {"severity": "warning", "summary": "Argument is deprecated", "detail": "Use\nanother."}
    line = json.dumps({"type": "diagnostic", "diagnostic": diagnostic})

    class Said:
        def follow(self, argv, log, each, extra):
            each(line)
            each(line)
            return 0

    progress, text = view()
    terraform = Terraform(Said(), progress, tmp_path, tmp_path, tmp_path / "logs", {})  # type: ignore[arg-type]
    assert terraform.plan(tmp_path / "a.tfplan").warnings
    assert text.getvalue() == "    warning: Argument is deprecated: Use another.\n"
