"""Stage 6: Ansible makes the hosts what they are for. NiFi's and Airflow's have nothing to do with each other: both are
configured at the same time. (site.yml does the same one after the other, for people without the driver.)"""

from __future__ import annotations

from driver import fleets, playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    outcome = playbooks.play_together(run, of(run), tags=run.options.tags, limit=run.options.limit)
    stage.detail = playbooks.changed(outcome)


def of(run: Run) -> list[str]:
    """The playbooks: one for each group of hosts."""
    return [f"configure-{fleet.name}.yml" for fleet in fleets.of(run.platform)]
