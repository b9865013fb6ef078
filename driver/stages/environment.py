"""Stage 1: what was declared, read and checked as a whole before anything is asked or changed."""

from __future__ import annotations

from driver import environment
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    run.declared = environment.load(run.project, run.env, run.connector.values_name)
    run.record.facts.update(account_id=run.declared.account_id, region=run.declared.region)
    count = len(run.declared.requests)
    stage.detail = f"{run.env}, account {run.declared.account_id}, {run.declared.region}, {count} certificate requests"
