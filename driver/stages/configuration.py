"""Stage 6: Ansible makes the hosts what they are for."""

from __future__ import annotations

from driver import playbooks
from driver.run import Run, Stage

# site.yml is everything, for people without the driver; these parts have a stage of their own, after access.
LATER = ("pipelines",)


def run(run: Run, stage: Stage) -> None:
    outcome = playbooks.play(run, "site.yml", tags=run.options.tags, skip_tags=LATER, limit=run.options.limit)
    stage.detail = playbooks.changed(outcome)
