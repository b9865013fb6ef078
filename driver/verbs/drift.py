"""What differs from what is declared: somebody changed it by hand, or a merged change waits to be applied. Changes
nothing.
"""

from __future__ import annotations

from driver import conduct, fleets, playbooks, state
from driver.errors import CHANGES, DONE
from driver.run import Run
from driver.stages import configuration, preflight


def run(run: Run) -> int:
    conduct.begin(run)
    preflight.reaches_hosts(run, ("configuration",))
    found: list[str] = []
    with run.stage("infrastructure") as stage:
        found += [f"bootstrap: {address} ({action})" for address, action in state.pending(run)]
        terraform, _ = state.prepared(run)
        plan = run.folder / "drift.tfplan"
        outcome = terraform.plan(plan, state.var_files(run), lock=False)
        plan.unlink(missing_ok=True)
        found += [f"infrastructure: {address} ({action})" for address, action in outcome.wanted]
        stage.detail = outcome.summary()
    for name, wanted in _playbooks(run).items():
        with run.stage(name) as stage:
            result = playbooks.play_together(run, wanted, check=True)
            found += [f"{name}: {host}: {task}" for host, task in result.changed]
            stage.detail = f"{len(result.changed)} would change"
    for line in found:
        run.progress.line(f"  {line}", "yellow")
    run.progress.line(f"{run.env}: {len(found)} differences" if found else f"{run.env}: no drift", "bold")
    return CHANGES if found else DONE


def _playbooks(run: Run) -> dict[str, list[str]]:
    """Stage → its playbooks. :raises DriverError: nothing is built, with what to do"""
    found = {
        "certificates": ["issue-certificates.yml"],
        "configuration": configuration.of(run),
        "access": ["reconcile-access.yml"],
    }
    return found | ({"pipelines": ["deploy-pipelines.yml"]} if fleets.has_airflow(run.platform) else {})
