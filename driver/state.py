"""Where Terraform's state lives: a bucket in each account, made by terraform/bootstrap, whose own state ends in that
bucket too.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from driver import approval, tftypes
from driver.errors import DriverError, Interrupted, Refused
from driver.project import private_folder, write_private
from driver.run import Run
from driver.terraform import Terraform
from driver.terraform_events import Outcome

APPLIED = "bootstrap/applied.json"  # what was applied: written last, so that its presence means "done"
BOOTSTRAP_KEY = "bootstrap/terraform.tfstate"
LOOK = 0.5  # seconds
LOCAL = 'terraform {\n  backend "local" {\n    path = "%s"\n  }\n}\n'


def bucket(run: Run) -> str:
    """The state bucket's name, as terraform/bootstrap builds it."""
    return f"dataplatform-tfstate-{run.environment.account_id}-{run.environment.region}"


def key(env: str) -> str:
    return f"{env}/terraform.tfstate"


def applied(run: Run) -> dict[str, Any] | None:
    """What the bootstrap of this account left; None when it never ended."""
    body = run.account.object(bucket(run), APPLIED)
    return json.loads(body) if body else None


def built(run: Run) -> bool:
    """Whether the account keeps states: its bootstrap ended, or was cut off when the environment had one already."""
    return applied(run) is not None or run.account.object(bucket(run), key(run.env)) is not None


def backend(run: Run, name: str, key_arn: str | None) -> dict[str, str]:
    """The backend's settings for one state of the account."""
    assert run.target is not None
    pairs = {"bucket": bucket(run), "key": name, "region": run.environment.region, **run.target.backend_config}
    return {**pairs, "kms_key_id": key_arn} if key_arn else pairs


def connected(run: Run, key_arn: str | None) -> Terraform:
    """Terraform for the environment, with its state in the account's bucket."""
    terraform = run.terraform()
    terraform.init(backend(run, key(run.env), key_arn))
    return terraform


def prepared(run: Run) -> tuple[Terraform, bool]:
    """Terraform for the environment, as the account is. False: it has no state bucket, and a local state stands in for
    it, which is good for plans only.
    """
    if built(run):
        done = applied(run)
        return connected(run, done["state_key_arn"] if done else run.account.bucket_key(bucket(run))), True
    work = run.project.work(run.connector.kind, f"{run.env}-unbuilt")
    place = work / "terraform" / "environments" / run.env
    module = _copy(run.project.environment(run.env), place, work / "none.tfstate")
    for name in ("terraform/modules", "pipelines"):  # what the root module reaches by its own place
        (work / name).unlink(missing_ok=True)
        (work / name).symlink_to(run.project.root / name)
    terraform = run.terraform(module, work / "data")
    terraform.init({})
    return terraform, False


def var_files(run: Run) -> list[Path]:
    """Values that Terraform does not find by itself: the file's, unless it is one that Terraform loads, and the
    target's.
    """
    assert run.target is not None
    values = dict(run.target.terraform_values)
    if run.target.values_file.name != "terraform.tfvars":
        values = {**run.environment.terraform_values(), **values}
    folder = private_folder(run.project.work(run.connector.kind, run.env))
    return [write_private(folder / "values.tfvars.json", json.dumps(values, indent=2) + "\n")] if values else []


@contextmanager
def bootstrapped(run: Run) -> Iterator[str | None]:
    """The time in which the account has a state bucket and its key; yields the key's ARN.

    What is missing is made. As soon as the bucket takes states, the environment need not wait for the rest (its
    lifecycle rules take AWS's provider a minute). Can be killed at any point: until the last step its state lies in a
    local file, and the next run goes on from there.

    :raises Refused: the bucket's name is another account's
    """
    wanted = _fingerprint(run)
    done = applied(run)
    if done is not None and done.get("sources") == wanted:
        yield done.get("state_key_arn")
        return
    if done is None and run.account.bucket(bucket(run)) == "taken":
        fix = "bucket names are global: look at account_id and region"
        raise Refused(f"the bucket {bucket(run)} is another account's", fix)
    run.progress.note("preparing the account: state bucket and key")
    yield from _bootstrap(run, wanted)


def pending(run: Run) -> list[tuple[str, str]]:
    """What the account's bootstrap would change, now that its sources or values are others: (address, action). Empty
    where there was none yet, for that is said otherwise.
    """
    done = applied(run)
    if done is None or done.get("sources") == _fingerprint(run):
        return []
    with _planned(run) as (_, _, outcome):
        return outcome.wanted


@contextmanager
def _planned(run: Run) -> Iterator[tuple[Terraform, Path, Outcome]]:
    """The time in which there is a plan of the bootstrap, on a local copy of its state. The copy stays only when
    something was applied to it.
    """
    work = _work(run)
    local = work / "terraform.tfstate"
    stored = None if local.exists() else run.account.object(bucket(run), BOOTSTRAP_KEY)
    if stored:
        write_private(local, stored.decode())
    terraform = run.terraform(_copy(run.project.bootstrap, work / "bootstrap", local), work / "data-local")
    terraform.init({})
    plan = run.folder / "bootstrap.tfplan"
    try:
        yield terraform, plan, terraform.plan(plan, [_values(run, work)])
    finally:
        plan.unlink(missing_ok=True)
        if stored and local.exists() and local.read_bytes() == stored:
            local.unlink()


def _work(run: Run) -> Path:
    """The folder of the bootstrap's own state and data, until it has ended."""
    return private_folder(run.project.work(run.connector.kind, f"bootstrap-{run.environment.account_id}"))


def _bootstrap(run: Run, wanted: str) -> Iterator[str]:
    """Make the bucket and its key; yields once, when they can be used."""
    with _planned(run) as (terraform, plan, outcome), ThreadPoolExecutor(1) as pool:
        if outcome.any_change:
            _approve(run, outcome)
        applying = pool.submit(terraform.apply, plan)
        try:
            yield _usable(run, terraform, applying)
        except BaseException as error:
            # The environment failed, but its state is in the bucket by now: the bootstrap's belongs there as well.
            with suppress(DriverError, Interrupted):
                _conclude(run, terraform, applying, wanted)
            if isinstance(error, Refused) and outcome.any_change and applying.exception() is None:
                made = f"the account's state bucket and key were prepared before ({outcome.done()}), and stay"
                raise Refused(f"{error.message}; {made}", error.fix) from None
            raise
        _conclude(run, terraform, applying, wanted)


def _approve(run: Run, outcome: Outcome) -> None:
    """:raises Refused: nobody approved it; a plan file for approval has the environment only"""
    if run.options.plan:
        raise Refused(
            f"the account's state bucket and key: {outcome.summary()}, which is not in {run.options.plan.name}",
            f"look at it with: {run.options.command} plan; apply it with: {run.options.command} --only infrastructure; "
            "then make a new plan and have it approved",
        )
    approval.ask(run, "the account's state bucket and key", outcome)


def _conclude(run: Run, terraform: Terraform, applying: Future[Outcome], wanted: str) -> None:
    """When all is applied, put the bootstrap's state into the bucket, and say in it that it is complete."""
    for address, action in applying.result().applied:
        run.record.change("bootstrap", address, action)
    work = _work(run)
    key_arn = terraform.outputs()["state_key_arn"]
    _move(run, work, work / "terraform.tfstate", key_arn)
    body = json.dumps({"sources": wanted, "state_key_arn": key_arn}).encode()
    run.account.put_object(bucket(run), APPLIED, body)
    shutil.rmtree(work, ignore_errors=True)


def _usable(run: Run, terraform: Terraform, applying: Future[Outcome]) -> str:
    """Wait until the bucket encrypts what is put into it.

    :returns: the ARN of its key
    :raises DriverError: the bootstrap failed
    """
    while not (key_arn := run.account.bucket_key(bucket(run))):
        wait([applying], timeout=LOOK)
        if applying.done():
            applying.result()
            return str(terraform.outputs()["state_key_arn"])
    return key_arn


def _move(run: Run, work: Path, local: Path, key_arn: str) -> None:
    """Put the local state into the bucket. Terraform refuses when there is a newer one."""
    remote = work / "remote"
    shutil.rmtree(remote, ignore_errors=True)
    shutil.copytree(run.project.bootstrap, remote, ignore=shutil.ignore_patterns(".terraform"))
    terraform = run.terraform(remote, work / "data-remote")
    terraform.init(backend(run, BOOTSTRAP_KEY, key_arn))
    terraform.push(local)


def _copy(source: Path, target: Path, state: Path) -> Path:
    """A root module with a local state instead of its own backend."""
    shutil.rmtree(target, ignore_errors=True)
    private_folder(target.parent)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    (target / "backend_override.tf").write_text(LOCAL % state)
    return target


def _values(run: Run, work: Path) -> Path:
    """Those of the environment's values that terraform/bootstrap declares."""
    assert run.target is not None
    known = tftypes.declared(run.project.bootstrap)
    values = {**run.environment.terraform_values(), **run.target.terraform_values}
    return write_private(work / "values.tfvars.json", json.dumps({k: v for k, v in values.items() if k in known}))


def _fingerprint(run: Run) -> str:
    """Changes with the sources of the bootstrap, and with the values that it gets."""
    digest = hashlib.sha256()
    for path in sorted([*run.project.bootstrap.glob("*.tf"), *run.project.bootstrap.glob(".terraform.lock.hcl")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    assert run.target is not None
    known = tftypes.declared(run.project.bootstrap)
    values = {**run.environment.terraform_values(), **run.target.terraform_values}
    digest.update(json.dumps({k: v for k, v in values.items() if k in known}, sort_keys=True).encode())
    return digest.hexdigest()
