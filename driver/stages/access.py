"""Stage 7: users, groups and policies become what access.yml and the requests say, removals included. Airflow and the
edges get their rules from stage configuration where that runs, and from here where it does not.
"""

from __future__ import annotations

from driver import playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    options = run.options
    whole = (not options.only or "configuration" in options.only) and not options.tags and not options.limit
    outcome = playbooks.play(run, "reconcile-access.yml", skip_tags=("rules",) if whole else ())
    stage.detail = playbooks.changed(outcome)
