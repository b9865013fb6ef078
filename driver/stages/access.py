"""Stage 7: users, groups and policies become what access.yml and the requests say, removals included."""

from __future__ import annotations

from driver import playbooks
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    stage.detail = playbooks.changed(playbooks.play(run, "reconcile-access.yml"))
