"""Stage 9: log in as users do, and try what must be refused; then have data go all the way through the lake."""

from __future__ import annotations

from collections import Counter
from typing import Any

from driver import ansible, fleets, following, playbooks
from driver.errors import DriverError
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    if run.options.check:
        stage.status, stage.detail = "skipped", "logging in issues certificates: not with --check"
        return
    run.record.checks, run.record.lake = [], {}
    try:
        _verify(run, "verify.yml")
        if fleets.has_airflow(run.platform):
            run.record.lake = _verify(run, "verify-pipelines.yml").get("lake") or {}
    finally:
        count = Counter(check["status"] for check in run.record.checks)
        stage.detail = ", ".join(f"{number} {status}" for status, number in count.most_common())


def _verify(run: Run, playbook: str) -> dict[str, Any]:
    """Play one, keep its checks, and return its report.

    :raises DriverError: a check failed, or none was made
    """
    name = playbook.removesuffix(".yml")
    path = run.folder / f"{name}.json"
    told = run.folder / f"{name}.progress"
    variables = {"verification_report": str(path), "verification_progress": str(told)}
    if run.connect().ca_bundle:
        variables["listener_ca_path"] = str(run.connect().ca_bundle)
    with following.lines(told, run.progress.note):
        outcome = run.ansible.run(playbook, variables)
    report = playbooks.report(path)
    checks = report.get("checks", [])
    run.record.checks = [*run.record.checks, *checks]
    log = run.project.shown(playbooks.log(run, playbook))
    failed = [check for check in checks if check["status"] == "failed"]
    if failed:
        lines = "\n  ".join(
            f"{c['name']} ({c['subject']}): expected {c['expected']}, observed {c['observed']}" for c in failed
        )
        raise DriverError(
            f"{len(failed)} of {len(checks)} checks failed:\n  {lines}", "see the run record for all checks"
        )
    if not outcome.ok:
        raise ansible.failed(playbook, outcome, log)
    if not checks:
        raise DriverError(f"{playbook} made no checks", f"look into {log}")
    return report
