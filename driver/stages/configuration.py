"""Stage 6: Ansible makes the hosts what they are for. NiFi's and Airflow's have nothing to do with each other: both are
configured at the same time. (site.yml does the same one after the other, for people without the driver.)"""

from __future__ import annotations

from collections.abc import Collection

from driver import fleets, playbooks, selection
from driver.errors import DriverError, Refused
from driver.run import Run, Stage


def choose(run: Run, stages: Collection[str]) -> None:
    """Before anything changes: --tags and --limit choose something.

    :param stages: those that will be gone through
    :raises Refused: with what can be chosen
    """
    if run.options.tags:
        # (What Terraform has yet to build is not known.)
        every = sorted(path.name for path in (run.project.ansible / "playbooks").glob("configure-*.yml"))
        selection.tags(run, every if "infrastructure" in stages else of(run))
    if run.options.limit:
        selection.hosts(run)


def run(run: Run, stage: Stage) -> None:
    limit = None
    if run.options.limit:
        try:
            limit = ",".join(selection.hosts(run))  # by name: localhost, which belongs to them, changes patterns
        except Refused as error:  # it was there before the stages that made hosts
            raise DriverError(error.message, error.fix) from None
    outcome = playbooks.play_together(run, of(run), tags=run.options.tags, limit=limit)
    stage.detail = playbooks.changed(outcome)


def of(run: Run) -> list[str]:
    """The playbooks: one for each group of hosts."""
    return [f"configure-{fleet.name}.yml" for fleet in fleets.of(run.platform)]
