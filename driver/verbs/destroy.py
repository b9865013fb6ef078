"""Removes an environment: everything Terraform built, and the secrets that were made for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from driver import approval, conduct, lease, spark, state
from driver.aws import answering
from driver.errors import DONE, Refused
from driver.run import Run
from driver.stages import preflight
from driver.stages.infrastructure import holding, noting
from driver.terraform import Terraform
from driver.terraform_events import Outcome

GUARDS = ("deletion_protection", "enable_deletion_protection")  # of a database and of a balancer


def run(run: Run) -> int:
    conduct.declare(run)
    if not run.connector.running(run.env):
        return _nothing_runs(run)
    preflight.tools(run)
    conduct.connect(run)
    conduct.check(run)
    if not state.built(run):
        run.progress.line(f"{run.env} is not built: Terraform has no state in account {run.environment.account_id}")
    else:
        _destroy(run)
    return _close(run)


def _nothing_runs(run: Run) -> int:
    """An emulated account that ended took everything with it but, perhaps, machines."""
    if not run.options.yes:
        approval.confirm(
            run, f"end what is left of the {run.connector.kind}", [], f"{run.options.command} destroy --yes"
        )
    return _close(run)


def _close(run: Run) -> int:
    if run.connector.disposable:
        with run.stage(run.connector.kind) as stage:
            run.connector.close(run.env, run.progress.note)
            stage.detail = "ended"
    run.progress.line(f"{run.env} is destroyed", "bold")
    return DONE


def _destroy(run: Run) -> None:
    with lease.held(run) as take, run.stage("infrastructure") as stage, holding(run):
        take()
        terraform, _ = state.prepared(run)
        plan = run.folder / "destroy.tfplan"
        try:
            outcome = terraform.plan(plan, state.var_files(run), destroy=True)
            found = terraform.show(plan)
            guarded = _guarded(found)
            if guarded and not run.connector.disposable:
                raise Refused(
                    f"{run.env} is protected from deletion: {', '.join(guarded)}",
                    f"set deletion_protection = false in terraform/environments/{run.env}/sizing.auto.tfvars, "
                    f"run {run.options.command}, then this again",
                )
            _approve(run, outcome)
            # (The platform document names the application too, and goes first.)
            for identifier in spark.applications(found):
                spark.stop(run, identifier, cancel=True)
            if guarded:
                outcome = _lift_protection(run, terraform, plan)
            run.progress.expect(sum(outcome.changes.values()))
            with noting(run) as done:
                terraform.apply(plan, done)
            # Last: what Terraform refuses to destroy goes on with its keys and passwords.
            with answering(f"secrets below dataplatform/{run.env}/"):
                secrets = _remove_secrets(run)
        finally:
            plan.unlink(missing_ok=True)
        stage.detail = f"{outcome.done()}, {secrets} secrets removed"


def _approve(run: Run, outcome: Outcome) -> None:
    if run.options.yes or not outcome.any_change:
        return
    lines = [f"  - {address}" for address, _ in outcome.planned]
    approval.confirm(
        run,
        f"destroy {outcome.changes['delete']} resources, data included",
        lines,
        f"{run.options.command} destroy --yes",
    )


def _guarded(plan: Mapping[str, Any]) -> list[str]:
    """Addresses that AWS would refuse to delete, after others are gone. What counts is what was applied."""
    changes = {entry["address"]: entry["change"] for entry in plan.get("resource_changes", [])}
    return [
        address
        for address, change in changes.items()
        if "delete" in change["actions"] and any(change["before"].get(name) for name in GUARDS)
    ]


def _lift_protection(run: Run, terraform: Terraform, plan: Path) -> Outcome:
    """What a person does in a reviewed change on AWS; an emulated account is there to be thrown away."""
    run.progress.note("lifting the protection, since the account is emulated; on AWS this is refused")
    terraform.plan(plan, state.var_files(run), arguments=["-var=deletion_protection=false"])
    terraform.apply(plan)
    return terraform.plan(plan, state.var_files(run), destroy=True)


def _remove_secrets(run: Run) -> int:
    """Keystores of users and nodes: made by modules, not by Terraform, and worth nothing without their CA."""
    client: Any = run.account.client("secretsmanager")
    prefix = f"dataplatform/{run.env}/"
    pages = client.get_paginator("list_secrets").paginate(Filters=[{"Key": "name", "Values": [prefix]}])
    names = [entry["Name"] for page in pages for entry in page["SecretList"] if entry["Name"].startswith(prefix)]
    for name in names:
        client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    return len(names)
