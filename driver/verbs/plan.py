"""What Terraform would change. Writes nothing, not even for an account that is not prepared yet."""

from __future__ import annotations

from collections import Counter

from driver import changes, conduct, plans, state
from driver.errors import CHANGES, DONE, Refused
from driver.run import Run


def run(run: Run) -> int:
    conduct.begin(run, start=True)
    plan = run.folder / "plan.tfplan"
    try:
        with run.stage("infrastructure") as stage:
            account = state.pending(run)
            terraform, built = state.prepared(run)
            run.progress.note("terraform plan")
            outcome = terraform.plan(plan, state.var_files(run), lock=run.options.out is not None)
            stage.detail = outcome.summary()
        if run.options.out:
            if not built:
                raise Refused(
                    f"the account of {run.env} has no state bucket yet: its plan can't be kept",
                    "apply once without a plan file",
                )
            if account:
                names = ", ".join(address for address, _ in account)
                raise Refused(
                    f"the account's state bucket and key are to be changed as well ({names}): "
                    "a plan file can't have both",
                    f"apply that first: {run.options.command} --only infrastructure",
                )
            facts = plans.save(run, terraform, plan, run.options.out)
            run.progress.line(f"plan: {run.options.out}, what it fits: {facts}; apply it with --plan {run.options.out}")
    finally:
        plan.unlink(missing_ok=True)
    changes.show(run, account, outcome, built)
    kinds = Counter(action for _, action in outcome.planned)
    run.progress.line(f"{run.env}: {outcome.summary()}", "bold")
    return CHANGES if outcome.code == 2 or kinds["move"] or account else DONE
