"""Stage 8: log in as users do, and try what must be refused."""

from __future__ import annotations

from collections import Counter

from driver import ansible, playbooks
from driver.errors import DriverError
from driver.run import Run, Stage


def run(run: Run, stage: Stage) -> None:
    if run.options.check:
        stage.status, stage.detail = "skipped", "logging in issues certificates: not with --check"
        return
    path = run.folder / "verification.json"
    variables = {"verification_report": str(path)}
    if run.connect().ca_bundle:
        variables["listener_ca_path"] = str(run.connect().ca_bundle)
    outcome = run.ansible.run("verify.yml", variables)
    checks = playbooks.report(path).get("checks", [])
    run.record.checks = checks
    count = Counter(check["status"] for check in checks)
    stage.detail = ", ".join(f"{number} {status}" for status, number in count.most_common())
    failed = [check for check in checks if check["status"] == "failed"]
    if failed:
        lines = "\n  ".join(
            f"{c['name']} ({c['subject']}): expected {c['expected']}, observed {c['observed']}" for c in failed
        )
        raise DriverError(
            f"{len(failed)} of {len(checks)} checks failed:\n  {lines}", "see the run record for all checks"
        )
    if not outcome.ok:
        raise ansible.failed("verify.yml", outcome, run.project.shown(playbooks.log(run, "verify.yml")))
    if not checks:
        raise DriverError(
            "verification made no checks", f"look into {run.project.shown(playbooks.log(run, 'verify.yml'))}"
        )
