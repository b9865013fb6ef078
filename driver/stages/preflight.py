"""Stage 2: everything that would make the run wrong, found before it changes anything."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from driver import documents, lock, state, terraform, tfvars
from driver.errors import DriverError, Refused
from driver.run import Run, Stage

TERRAFORM = (1, 11, 1)  # the first with write-only arguments, and with the S3 backend's own locking
SESSIONS = "session-manager-plugin"
AGENT, METRICS = "amazon-ssm-agent", "amazon-cloudwatch-agent"
PLACES = ("group_vars", "host_vars")
BUNDLE = "DATAPLATFORM_RDS_CA_BUNDLE"
BUNDLE_URL = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"


def tools(run: Run) -> None:
    """Programs and packages. :raises Refused: names what is missing and how to get it"""
    needed = ".".join(map(str, TERRAFORM))
    path = run.processes.environment.get("PATH")
    if shutil.which("terraform", path=path) is None:
        raise Refused(
            "terraform is not on the PATH",
            f"install terraform {needed} or newer (https://developer.hashicorp.com/terraform/install)",
        )
    try:
        version = terraform.version(run.processes)
    except DriverError as error:
        raise Refused(error.message, error.fix) from None
    if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) < TERRAFORM:
        raise Refused(
            f"terraform {version} is too old", f"install terraform {needed} or newer, and put it first on the PATH"
        )
    if importlib.util.find_spec("ansible_runner") is None or importlib.util.find_spec("ansible") is None:
        raise Refused("Ansible is not installed for this Python", "make setup")
    run.record.versions["terraform"] = version


def reaches_hosts(run: Run, stages: Collection[str]) -> None:
    """What Ansible needs on this machine for AWS's hosts: missed half an hour later, when Terraform has built them.

    :param stages: those that will be gone through
    :raises Refused: names what is missing and how to get it
    """
    if run.connector.kind != "aws":
        return
    if "infrastructure" in stages:
        _boots_an_agent(run)
    if set(stages) <= {"infrastructure"}:
        return
    path = run.processes.environment.get("PATH")
    if shutil.which(SESSIONS, path=path) is None:
        raise Refused(
            f"{SESSIONS} is not on the PATH: Ansible reaches hosts by Session Manager",
            "install it (https://docs.aws.amazon.com/systems-manager/latest/userguide/"
            "session-manager-working-with-install-plugin.html)",
        )
    if "configuration" in stages:
        _verifies_the_database(run)


def _verifies_the_database(run: Run) -> None:
    """:raises Refused: the CAs that role airflow gives to its hosts are not there"""
    default = run.project.ansible / "playbooks" / "files" / "rds-global-bundle.pem"
    bundle = Path(run.processes.environment.get(BUNDLE) or default)
    if not bundle.is_file() and not _sets(run, "airflow_database_ca"):
        shown = run.project.shown(bundle)
        raise Refused(
            f"{shown} is not there: the CAs with which Airflow verifies its database",
            f"mkdir -p {run.project.shown(default.parent)} && curl -o {run.project.shown(default)} {BUNDLE_URL}, "
            f"or name another file in {BUNDLE}",
        )


def _sets(run: Run, variable: str) -> bool:
    """Whether a group or a host of the environment's own inventory has a value of its own for a variable."""
    folder = run.project.inventory(run.env)
    values = [documents.load(path).value for place in PLACES for path in sorted(folder.glob(f"{place}/**/*.y*ml"))]
    return any(isinstance(found, dict) and bool(found.get(variable)) for found in values)


def _boots_an_agent(run: Run) -> None:
    """Hosts without the agent can't be reached, and can only be replaced.

    :raises Refused: neither is it installed at the first boot, nor are the images somebody's own
    """
    own = run.environment.values_file
    values: dict[str, Any] = {}
    for path in (own, *sorted(own.parent.glob("*.auto.tfvars"))):
        try:
            values |= tfvars.load(path, run.project.shown(path)).value if path.is_file() else {}
        except tfvars.TfvarsError as error:
            raise Refused(str(error), "correct that line") from None
    agents, own_images = values.get("agents") or {}, values.get("nifi_ami_id") and values.get("airflow_ami_id")
    if METRICS not in agents and not own_images:
        run.progress.line(
            f"{run.project.shown(own)}: agents has no {METRICS}: hosts send no logs and metrics, "
            f"so the alarm {run.env}-airflow-scheduler-heartbeat stays on, and "
            f"{run.env}-airflow-failed-runs never rings"
        )
    if AGENT in agents or own_images:
        return
    raise Refused(
        f"{run.project.shown(own)}: agents has no {AGENT}, without which Ansible reaches no host of Debian's image",
        f"download {AGENT}.deb from AWS and name file and sha256 there ({own.name}.example shows how), "
        "or name images that carry it in nifi_ami_id and airflow_ami_id",
    )


def run(run: Run, stage: Stage) -> None:
    """Credentials, the account they belong to, and the state's lock. :raises Refused: nothing was changed"""
    bucket, key = state.bucket(run), state.key(run.env)
    _refusing(lambda: run.account)
    _refusing(lambda: lock.settle_leftovers(run.project, run.env, run.processes, run.progress))
    unsaved = run.project.environment(run.env) / "errored.tfstate"
    if unsaved.exists():
        raise Refused(
            f"{run.project.shown(unsaved)}: an earlier Terraform could not save there what it had made to the bucket",
            f'eval "$({run.options.command} environment)", then terraform -chdir=terraform/environments/{run.env} '
            f"state push {unsaved.name}, and remove the file; then run again",
        )
    with ThreadPoolExecutor(2) as pool:
        caller = pool.submit(run.account.caller)
        held = pool.submit(run.account.object, bucket, f"{key}.tflock")
        account = _refusing(caller.result)
        whose(run, account)
        if _refusing(held.result) is not None:
            lock.check_state(run.account, run.project, run.env, bucket, key, run.progress, run.options.command)
    stage.detail = f"terraform {run.record.versions.get('terraform', '')}, account {account}, state is free"


def whose(run: Run, account: str) -> None:
    """:raises Refused: the credentials are of another account than the environment's"""
    declared = run.environment
    if account != declared.account_id:
        raise Refused(
            f"the credentials belong to account {account}, but {run.env} is account {declared.account_id} "
            f"({run.project.shown(declared.values_file)})",
            f"take credentials of {declared.account_id}, or name another environment with --env",
        )


def _refusing(call: Callable[[], Any]) -> Any:
    """What fails here has changed nothing: it is a refusal."""
    try:
        return call()
    except Refused:
        raise
    except DriverError as error:
        if error.code != 1:
            raise
        raise Refused(error.message, error.fix) from None
