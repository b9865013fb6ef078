"""Stage 3: Terraform plans, and applies exactly that plan."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from driver import approval, changes, fleets, plans, spark, state
from driver.errors import Refused
from driver.heartbeat import now
from driver.project import write_private
from driver.run import Run, Stage
from driver.stages import preparation
from driver.terraform import Terraform
from driver.terraform_events import Outcome


@contextmanager
def holding(run: Run) -> Iterator[None]:
    """The time in which Terraform may hold the state's lock, noted for the run that comes after a kill.

    The note stays when this process is killed or fails: Terraform itself may have died, and left the lock.
    """
    note = write_private(
        run.project.runs(run.env) / "terraform.json", json.dumps({"run": run.folder.name, "started": now()})
    )
    yield
    note.unlink(missing_ok=True)


@contextmanager
def noting(run: Run, applied: Callable[[str, str], None] | None = None) -> Iterator[Callable[[str, str], None]]:
    """The time of an apply. Yields the function that is told address and action of each resource that was done; all
    that was done is in the record afterwards, also when the apply failed.

    :param applied: who is told as well
    """
    done: dict[str, str] = {}

    def tell(address: str, action: str) -> None:
        done[address] = "replace" if {action, done.get(address)} == {"create", "delete"} else action
        if applied:
            applied(address, action)

    try:
        yield tell
    finally:
        for address, action in done.items():
            run.record.change("infrastructure", address, action)
            run.record.terraform[action] += 1


def run(run: Run, stage: Stage) -> None:
    if run.options.check:
        _check(run, stage)
        return
    with holding(run), state.bootstrapped(run) as key_arn:
        terraform = state.connected(run, key_arn)
        if run.options.plan:
            outcome = _apply_approved(run, terraform, run.options.plan)
        else:
            outcome = _plan_and_apply(run, terraform)
    run.record.versions.update(provider_versions(terraform.module))
    run.forget_platform()
    run.record.facts["url"] = run.platform["urls"]["nifi"]
    if fleets.has_airflow(run.platform):
        run.record.facts["airflow_url"] = run.platform["urls"]["airflow"]
    stage.detail = outcome.done()


def _check(run: Run, stage: Stage) -> None:
    """What would change; nothing is."""
    account = state.pending(run)
    terraform, built = state.prepared(run)
    outcome = terraform.plan(run.folder / "check.tfplan", state.var_files(run), lock=False)
    (run.folder / "check.tfplan").unlink(missing_ok=True)
    run.record.terraform.update(outcome.changes)
    for address, action in account:
        run.record.terraform[action] = run.record.terraform.get(action, 0) + 1
        run.record.change("bootstrap", address, action)
    for address, action in outcome.wanted:
        run.record.change("infrastructure", address, action)
    changes.show(run, account, outcome, built)
    stage.detail = outcome.summary() + (f"; of the account's bootstrap: {len(account)}" if account else "")


def _plan_and_apply(run: Run, terraform: Terraform) -> Outcome:
    plan = run.folder / "apply.tfplan"
    try:
        run.progress.note("terraform plan")
        outcome = terraform.plan(plan, state.var_files(run))
        run.record.facts["plan_sha256"] = hashlib.sha256(plan.read_bytes()).hexdigest()
        if outcome.code == 0:
            return outcome
        if _makes_buckets(outcome):
            refuse_taken_buckets(run, terraform.show(plan))
        approval.ask(run, "infrastructure", outcome)
        _apply(run, terraform, plan, outcome)
        return outcome
    finally:
        plan.unlink(missing_ok=True)


def _apply_approved(run: Run, terraform: Terraform, file: Path) -> Outcome:
    digest = plans.approved(run, terraform, file)
    run.record.facts["plan_sha256"] = digest
    _stop_spark(run, terraform, file)
    plans.use(run, file, digest)
    with preparation.beside(run) as applied, noting(run, applied) as done:
        outcome = terraform.apply(file, done)
    outcome.changes = dict(run.record.terraform)  # an approved plan's own lines were another run's
    return outcome


def _apply(run: Run, terraform: Terraform, plan: Path, outcome: Outcome) -> None:
    run.progress.note(outcome.summary())
    run.progress.expect(sum(outcome.changes.values()) + outcome.changes["replace"])
    if spark.touched(outcome):
        _stop_spark(run, terraform, plan)
    with preparation.beside(run) as applied, noting(run, applied) as done:
        terraform.apply(plan, done)


def _stop_spark(run: Run, terraform: Terraform, plan: Path) -> None:
    for identifier in spark.applications(terraform.show(plan)):
        spark.stop(run, identifier)


def _makes_buckets(outcome: Outcome) -> bool:
    """To read a plan file takes seconds, most of them for the provider's schemas."""
    return any(action == "create" and "aws_s3_bucket" in address.split(".") for address, action in outcome.planned)


def refuse_taken_buckets(run: Run, plan: dict[str, Any]) -> None:
    """Bucket names are global: find out before the plan stops half-way.

    :raises Refused: names the bucket and the value to change
    """
    changes = (
        c
        for c in plan.get("resource_changes", [])
        if c["type"] == "aws_s3_bucket" and "create" in c["change"]["actions"]
    )
    for change in changes:
        name = (change["change"].get("after") or {}).get("bucket")
        if "delete" in change["change"]["actions"] or not name:
            continue
        whose = run.account.bucket(name)
        if whose == "taken":
            raise Refused(
                f"the bucket name {name} ({change['address']}) is taken by another account",
                f"names are global: set another bucket_suffix in {run.project.shown(run.environment.values_file)}",
            )
        if whose == "ours":
            raise Refused(
                f"the bucket {name} ({change['address']}) exists already in this account, but not in the state",
                f"import it (terraform import '{change['address']}' {name}) or remove it",
            )


def provider_versions(module: Path) -> dict[str, str]:
    """Names and versions in a lock file of Terraform's."""
    import re

    path = module / ".terraform.lock.hcl"
    text = path.read_text() if path.is_file() else ""
    found = re.findall(r'provider "[^"]*/([^"/]+)"\s*\{\s*version\s*=\s*"([^"]+)"', text)
    return {f"provider {name}": version for name, version in found}
