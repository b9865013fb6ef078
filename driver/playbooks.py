"""Runs a playbook as (part of) a stage: records what it changed, turns failed tasks into an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from driver import ansible
from driver.ansible_events import Outcome
from driver.run import Run


def play(run: Run, playbook: str, variables: dict[str, Any] | None = None, **options: Any) -> Outcome:
    """Run a playbook to its end. :raises DriverError: with host, task and message of everything that failed"""
    outcome = run.ansible.run(playbook, variables, check=options.pop("check", run.options.check), **options)
    note(run, playbook, outcome)
    if not outcome.ok:
        raise ansible.failed(playbook, outcome, run.project.shown(log(run, playbook)))
    return outcome


def note(run: Run, playbook: str, outcome: Outcome) -> None:
    """What it changed goes into the record."""
    run.record.ansible += len(outcome.changed)
    for host, task in outcome.changed:
        run.record.change(playbook.removesuffix(".yml"), f"{host}: {task}", "changed")


def log(run: Run, playbook: str) -> Path:
    return run.folder / "logs" / playbook.replace(".yml", ".log")


def report(path: Path) -> dict[str, Any]:
    """What a playbook wrote for us; empty when it did not come that far."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}
    finally:
        path.unlink(missing_ok=True)


def changed(outcome: Outcome) -> str:
    count = len(outcome.changed)
    return f"{outcome.tasks} tasks, {count} changed" if count else f"{outcome.tasks} tasks, nothing changed"
