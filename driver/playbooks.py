"""Runs playbooks as (part of) a stage: records what they changed, turns failed tasks into an error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from driver import ansible
from driver.ansible_events import Outcome
from driver.errors import DriverError
from driver.run import Run


def play(run: Run, playbook: str, variables: dict[str, Any] | None = None, **options: Any) -> Outcome:
    """Run a playbook to its end. :raises DriverError: with host, task and message of everything that failed"""
    outcome = run.ansible.run(playbook, variables, check=options.pop("check", run.options.check), **options)
    return _judged(run, playbook, outcome)


def play_together(run: Run, names: Sequence[str], by: ansible.Ansible | None = None, **options: Any) -> Outcome:
    """Run playbooks at the same time, each to its end whatever becomes of the others.

    :param by: who plays them, if not the run's own
    :returns: what they did together
    :raises DriverError: with what failed in each of them
    """
    options.setdefault("check", run.options.check)
    with ThreadPoolExecutor(len(names)) as pool:
        playing = [pool.submit((by or run.ansible).run, name, **options) for name in names]
    run.processes.check_interrupted()
    together, errors = Outcome(), []
    for name, future in zip(names, playing, strict=True):
        try:
            outcome = _judged(run, name, future.result())
        except DriverError as error:
            errors.append(error)
        else:
            together.changed += outcome.changed
            together.tasks += outcome.tasks
    if len(errors) > 1:
        raise DriverError("\n".join(error.message for error in errors), "\n".join(error.fix for error in errors))
    if errors:
        raise errors[0]
    return together


def _judged(run: Run, playbook: str, outcome: Outcome) -> Outcome:
    """Note what a playbook changed. :raises DriverError: a task failed"""
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
