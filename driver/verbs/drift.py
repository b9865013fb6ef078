"""What differs from what is declared: somebody changed it by hand, or a merged change waits to be applied. Changes
nothing.
"""

from __future__ import annotations

from driver import conduct, fleets, playbooks, state
from driver.errors import CHANGES, DONE
from driver.run import Run
from driver.stages import configuration

PLAYBOOKS = {
    "certificates": "issue-certificates.yml",
    "configuration": "site.yml",
    "access": "reconcile-access.yml",
    "pipelines": "deploy-pipelines.yml",
}


def run(run: Run) -> int:
    conduct.begin(run)
    found: list[str] = []
    with run.stage("infrastructure") as stage:
        terraform, _ = state.prepared(run)
        plan = run.folder / "drift.tfplan"
        outcome = terraform.plan(plan, state.var_files(run), lock=False)
        plan.unlink(missing_ok=True)
        found += [f"infrastructure: {address} ({action})" for address, action in outcome.planned]
        stage.detail = outcome.summary()
    with_airflow = fleets.has_airflow(run.platform)  # (says what to do when nothing is built)
    for name, playbook in PLAYBOOKS.items():
        if name == "pipelines" and not with_airflow:
            continue
        with run.stage(name) as stage:
            skipped = configuration.LATER if name == "configuration" else ()
            result = playbooks.play(run, playbook, skip_tags=skipped, check=True)
            found += [f"{name}: {host}: {task}" for host, task in result.changed]
            stage.detail = f"{len(result.changed)} would change"
    for line in found:
        run.progress.line(f"  {line}", "yellow")
    run.progress.line(f"{run.env}: {len(found)} differences" if found else f"{run.env}: no drift", "bold")
    return CHANGES if found else DONE
