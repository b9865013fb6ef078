"""Plan files that one person makes and another approves. Such a file fits one state, one source and one use."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from driver import record, state
from driver.errors import Refused
from driver.heartbeat import now
from driver.project import write_private
from driver.run import Run
from driver.terraform import Terraform


def save(run: Run, terraform: Terraform, plan: Path, out: Path) -> Path:
    """Keep a plan for approval: the file (readable by its owner only: a plan can hold secrets) and what it fits,
    beside it.

    :returns: the file with what it fits
    """
    shutil.copyfile(plan, out)
    out.chmod(0o600)
    return write_private(_facts_path(out), json.dumps(_facts(run, terraform, out), indent=2) + "\n")


def _facts_path(plan: Path) -> Path:
    return plan.with_name(plan.name + ".json")


def _facts(run: Run, terraform: Terraform, plan: Path) -> dict[str, Any]:
    current = terraform.state()
    source = record.commit(run.processes.capture, run.project.root, without=(plan, _facts_path(plan)))
    return {
        "env": run.env,
        "account_id": run.environment.account_id,
        "commit": source["commit"],
        "differences": source["differences"],
        "sha256": hashlib.sha256(plan.read_bytes()).hexdigest(),
        "lineage": current.get("lineage"),
        "serial": current.get("serial"),
    }


def approved(run: Run, terraform: Terraform, file: Path) -> str:
    """Check that an approved plan file is for this environment, this source and the present state.

    :returns: its SHA-256
    :raises Refused: says what does not fit
    """
    try:
        approved_facts = json.loads(_facts_path(file).read_text())
        facts = _facts(run, terraform, file)
    except (OSError, ValueError) as error:
        raise Refused(
            f"{file} is no plan of this runner: {error}", f"make one: {run.options.command} plan --out FILE"
        ) from None
    again = _again(run)
    for name, value in facts.items():
        if name == "differences" and approved_facts.get(name) != value:
            raise Refused(f"{file}: the files that differ from the commit are not those that it was made with", again)
        if approved_facts.get(name) != value:
            raise Refused(f"{file}: its {name} is {approved_facts.get(name)}, but now it is {value}", again)
    return str(facts["sha256"])


def use(run: Run, file: Path, digest: str) -> None:
    """Mark an approved plan as used, just before it is: a first plan has no prior state, and Terraform itself would
    apply it twice.

    :raises Refused: it was used before
    """
    mark = f"{run.env}/plans/{digest}"
    if not run.account.claim(state.bucket(run), mark, json.dumps({"applied": now()}).encode()):
        raise Refused(f"{file} was applied before", _again(run))


def _again(run: Run) -> str:
    return f"make a new one and have it approved: {run.options.command} plan --out FILE"
