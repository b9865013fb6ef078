"""Only the verification: what a user sees, and what must be refused."""

from __future__ import annotations

from driver import conduct, lease
from driver.errors import DONE
from driver.run import Run
from driver.stages import STAGES, evidence, preflight
from driver.verbs import apply


def run(run: Run) -> int:
    conduct.begin(run)
    preflight.reaches_hosts(run, ("verification",))
    with lease.held(run) as take:
        take()
        with run.stage("verification") as stage:
            STAGES["verification"](run, stage)
    with run.stage("evidence") as stage:
        evidence.run(run, stage)
    if run.record.lake:
        apply.show_lake(run)
    return DONE
