"""Stage 10: the record of the run."""

from __future__ import annotations

from driver import people, record
from driver.errors import DriverError
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    """Complete the record with who may do what and which nodes serve, as far as the platform is there."""
    if run.declared is not None and run.target is not None:
        try:
            if not run.record.users:
                run.record.users = people.users(run)
            run.record.nodes = people.nodes(run)
        except DriverError as error:
            stage.detail = f"incomplete: {error.message}"
    run.record.versions.update(record.versions())
