"""What every run begins with: declare, connect, check."""

from __future__ import annotations

from driver.errors import Refused
from driver.run import Run
from driver.stages import environment, preflight


def declare(run: Run) -> None:
    """Read the environment's files; nothing is asked of any account."""
    with run.stage("environment") as stage:
        environment.run(run, stage)


def connect(run: Run, start: bool = False) -> None:
    """Reach the account.

    :param start: bring it up if it is one that can be (a rehearsal)
    :raises Refused: nothing runs, and this verb starts nothing
    """
    if not start and not run.connector.running(run.env):
        raise Refused(f"no {run.connector.kind} of {run.env} runs", f"start it with: {run.options.command}")
    if not run.connector.disposable:
        run.connect()
        return
    with run.stage(run.connector.kind) as stage:
        run.connect()
        stage.detail = "account and machines are up"


def check(run: Run) -> None:
    """Everything that would make the run wrong."""
    with run.stage("preflight") as stage:
        preflight.run(run, stage)


def begin(run: Run, start: bool = False) -> None:
    """All of it."""
    declare(run)
    preflight.tools(run)
    connect(run, start)
    check(run)


def begin_quietly(run: Run) -> None:
    """Without stages: for verbs that only look."""
    from driver import environment as declared

    run.declared = declared.load(run.project, run.env, run.connector.values_name)
    if not run.connector.running(run.env):
        raise Refused(f"no {run.connector.kind} of {run.env} runs", f"start it with: {run.options.command}")
    run.connect()
    preflight.whose(run, run.account.caller())
