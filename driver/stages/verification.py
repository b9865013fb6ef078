"""Stage 9: log in as users do, and try what must be refused; have data go all the way through the lake."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from driver import ansible, fleets, following, playbooks
from driver.ansible_events import Outcome
from driver.errors import DriverError
from driver.run import Run, Stage


@dataclass
class Verified:
    """What one of the playbooks did and saw."""

    playbook: str
    outcome: Outcome
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def checks(self) -> list[dict[str, Any]]:
        return list(self.report.get("checks", []))


def run(run: Run, stage: Stage) -> None:
    if run.options.check:
        stage.status, stage.detail = "skipped", "logging in issues certificates: not with --check"
        return
    wanted = ["verify.yml"] + ["verify-pipelines.yml"] * fleets.has_airflow(run.platform)
    # Both mostly wait (for a certificate to lapse, for a pipeline to end): they do so at the same time.
    with ThreadPoolExecutor(len(wanted)) as pool:
        playing = [pool.submit(_play, run, playbook) for playbook in wanted]
    ended = [future.result() for future in playing if future.exception() is None]
    run.record.checks = [check for verified in ended for check in verified.checks]
    run.record.lake = next((verified.report["lake"] for verified in ended if verified.report.get("lake")), {})
    count = Counter(check["status"] for check in run.record.checks)
    stage.detail = ", ".join(f"{number} {status}" for status, number in count.most_common())
    _judge(run, playing, ended)


def _play(run: Run, playbook: str) -> Verified:
    """Play one, tell on the way what it is at, and take its report."""
    name = playbook.removesuffix(".yml")
    path, told = run.folder / f"{name}.json", run.folder / f"{name}.progress"
    variables = {"verification_report": str(path), "verification_progress": str(told)}
    if run.connect().ca_bundle:
        variables["listener_ca_path"] = str(run.connect().ca_bundle)
    with following.lines(told, run.progress.note):
        outcome = run.ansible.run(playbook, variables)
    return Verified(playbook, outcome, playbooks.report(path))


def _judge(run: Run, playing: list[Future[Verified]], ended: list[Verified]) -> None:
    """:raises DriverError: a check failed, a playbook broke, or one made no checks"""
    failed = [check for check in run.record.checks if check["status"] == "failed"]
    if failed:
        lines = "\n  ".join(
            f"{c['name']} ({c['subject']}): expected {c['expected']}, observed {c['observed']}" for c in failed
        )
        raise DriverError(
            f"{len(failed)} of {len(run.record.checks)} checks failed:\n  {lines}", "see the run record for all checks"
        )
    for future in playing:
        future.result()
    for verified in ended:
        log = run.project.shown(playbooks.log(run, verified.playbook))
        if not verified.outcome.ok:
            raise ansible.failed(verified.playbook, verified.outcome, log)
        if not verified.checks:
            raise DriverError(f"{verified.playbook} made no checks", f"look into {log}")
