"""Stage 6: Ansible makes the hosts what they are for."""

from __future__ import annotations

from driver import playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    outcome = playbooks.play(run, "site.yml", tags=run.options.tags, limit=run.options.limit)
    stage.detail = playbooks.changed(outcome)
