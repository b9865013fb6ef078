"""Stage 8: what runs on the platform becomes what pipelines/ says: flows, DAGs and jobs. Touches nothing else."""

from __future__ import annotations

from driver import fleets, playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    if not fleets.has_airflow(run.platform):
        stage.status, stage.detail = "skipped", f"{run.env} was built without Airflow"
        return
    stage.detail = playbooks.changed(playbooks.play(run, "deploy-pipelines.yml"))
