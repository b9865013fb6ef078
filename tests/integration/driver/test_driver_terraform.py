"""Terraform's part of a run, on an emulated account: what is planned, applied, refused, survived."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from driver import cli, leftovers
from tests.integration.driver import small
from tests.integration.driver.emulated import ROOT, Emulated
from tests.integration.driver.runner import ACCOUNT, INFRASTRUCTURE, PROD, Runner

pytestmark = pytest.mark.terraform
STATES = f"dataplatform-tfstate-{ACCOUNT}-eu-central-1"
BOOTSTRAPPED = 1  # resources of small.py's bootstrap


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A checkout and its account, where DEV is applied, for tests that leave it so."""
    project, account = small.make(tmp_path_factory.mktemp("built")), Emulated()
    try:
        assert cli.entry(["--env", "dev", "--yes", *INFRASTRUCTURE], project.root, account) == 0
        yield project, account
    finally:
        account.stop()


@pytest.fixture
def applied(built, capsys):
    return Runner(*built, capsys)


def test_from_nothing_to_destroyed(run):
    """Plan, apply, nothing to do, drift, destroy; and what each leaves."""
    text = run("plan", expect=2)
    assert "4 to create" in text
    assert "is not built yet" in text
    assert run.buckets() == []

    text = run("--yes", *INFRASTRUCTURE)
    assert "4 created" in text
    assert "https://nifi.dev.rehearsal.localhost/nifi/" in text
    record = run.record()
    assert record["changes"]["terraform"] == {"create": 4, "update": 0, "delete": 0, "replace": 0}
    assert record["versions"]["provider aws"].startswith("5.")
    assert [stage["name"] for stage in record["stages"]][-2:] == ["infrastructure", "evidence"]
    assert len(record["plan_sha256"]) == 64

    # the state is encrypted with the account's key, and so is the bootstrap's own, which ended in the bucket too
    for key in ("dev/terraform.tfstate", "bootstrap/terraform.tfstate"):
        assert run.s3().head_object(Bucket=STATES, Key=key)["ServerSideEncryption"] == "aws:kms"
    assert not list(run.project.work("rehearsal", f"bootstrap-{ACCOUNT}").glob("**/*.tfstate"))

    assert "no changes" in run("plan")
    run("--yes", *INFRASTRUCTURE)
    assert not any(run.record()["changes"]["terraform"].values())
    assert not list(run.project.cache.rglob("*.tfplan"))

    run.account.client("ssm", ACCOUNT).delete_parameter(Name="/dataplatform/dev/platform")
    assert "aws_ssm_parameter.document" in run("plan", expect=2)
    assert "1 to create" in run("--check", *INFRASTRUCTURE, expect=2)
    assert "1 created" in run("--yes", *INFRASTRUCTURE)

    # a name as Airflow gives it to the log of a run that somebody started
    name = "tasks/run_id=manual__2026-11-28T13:45:23.099471+00:00/a log"
    run.s3().put_object(Bucket="small-dev-example-dev", Key=name, Body=b"done")
    assert "needs an approval" in run("destroy", expect=3)
    assert "small-dev-example-dev" in run.buckets()
    run("destroy", "--yes")
    assert run.buckets() == [STATES]
    assert run.account.closed
    run("destroy", "--yes")


PROTECTED = """
data "aws_subnets" "default" {}

resource "aws_lb" "this" {
  name                       = "guarded"
  internal                   = true
  load_balancer_type         = "network"
  subnets                    = slice(data.aws_subnets.default.ids, 0, 1)
  enable_deletion_protection = var.deletion_protection
}
"""


def test_what_is_protected_is_not_destroyed_by_halves(run, monkeypatch):
    """AWS refuses to delete a protected balancer, when buckets and more are gone already."""
    main = run.project.environment("prod") / "main.tf"
    main.write_text(main.read_text() + PROTECTED)
    run("--yes", *INFRASTRUCTURE, env="prod")
    with monkeypatch.context() as on_aws:
        on_aws.setattr(run.account, "disposable", False)
        text = run("destroy", "--yes", env="prod", expect=3)
    assert "prod is protected from deletion: aws_lb.this" in text
    assert "fix: set deletion_protection = false in terraform/environments/prod/sizing.auto.tfvars" in text
    assert "small-prod-example-prod" in run.buckets(PROD)

    assert "lifting the protection" in run("destroy", "--yes", env="prod")
    assert run.account.client("elbv2", PROD).describe_load_balancers()["LoadBalancers"] == []


def test_credentials_of_another_account_are_refused(run):
    run.account.caller = "444455556666"
    text = run("--yes", *INFRASTRUCTURE, expect=3)
    assert "the credentials belong to account 444455556666, but dev is account 111122223333" in text
    assert run.buckets() == []


def test_a_bucket_name_that_is_taken_is_refused_before_anything_is_built(run):
    run.account.client("s3", "777788889999").create_bucket(
        Bucket="small-dev-example-dev", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    text = run("--yes", *INFRASTRUCTURE, expect=3)
    assert "bucket" in text
    assert "small-dev-example-dev" in text
    assert "fix:" in text
    assert run.account.client("ssm", ACCOUNT).describe_parameters()["Parameters"] == []


BROKEN = """
data "aws_ssm_parameter" "missing" {
  name       = "/not/there"
  depends_on = [aws_s3_bucket.this]
}
"""


def test_what_a_failed_first_run_built_is_known_and_destroyed(run, monkeypatch):
    """An environment that failed in the middle has a state in the account, and what it built costs money."""
    main = run.project.environment("dev") / "main.tf"
    whole = main.read_text()
    main.write_text(whole + BROKEN)
    assert "/not/there" in run("--yes", *INFRASTRUCTURE, expect=1)
    record = run.record()
    assert record["changes"]["terraform"]["create"] == len(record["changed"]) - BOOTSTRAPPED
    assert "aws_s3_bucket.this" in [entry["what"] for entry in record["changed"]]
    main.write_text(whole)
    run.s3().delete_object(Bucket=STATES, Key="bootstrap/applied.json")  # as if it had been killed on top
    monkeypatch.setattr(run.account, "disposable", False)
    assert "small-dev-example-dev" in run.buckets()
    assert "destroyed" in run("destroy", "--yes")
    assert run.buckets() == [STATES]


def test_a_change_of_the_accounts_own_bucket_is_planned_and_not_applied_with_another_plan(run, tmp_path):
    """An approved plan has the environment only: what else would change is refused, not slipped in."""
    run("--yes", *INFRASTRUCTURE)
    bootstrap = run.project.bootstrap / "main.tf"
    main = run.project.environment("dev") / "main.tf"
    main.write_text(main.read_text() + '\nresource "terraform_data" "more" {}\n')
    plan = tmp_path / "dev.tfplan"
    run("plan", "--out", str(plan), expect=2)

    bootstrap.write_text(bootstrap.read_text() + '\nresource "terraform_data" "news" {}\n')
    assert "bootstrap: terraform_data.news" in run("plan", expect=2)
    assert "terraform_data.news" in run("plan", "--out", str(tmp_path / "second"), expect=3)
    text = run(*INFRASTRUCTURE, "--plan", str(plan), expect=3)
    assert "1 to create, which is not in dev.tfplan" in text
    run("--yes", *INFRASTRUCTURE)
    assert "no changes" in run("plan")


def test_a_state_that_was_not_saved_is_not_passed_over(applied):
    """Terraform writes it beside the module when the bucket can't be reached, as with keys that have lapsed."""
    unsaved = applied.project.environment("dev") / "errored.tfstate"
    unsaved.write_text("{}")
    try:
        text = applied("--yes", *INFRASTRUCTURE, expect=3)
    finally:
        unsaved.unlink()
    assert "terraform/environments/dev/errored.tfstate: an earlier Terraform could not save" in text
    assert "state push errored.tfstate" in text


def test_a_destroy_that_terraform_refuses_leaves_the_secrets(applied):
    secrets = applied.account.client("secretsmanager", ACCOUNT)
    secrets.create_secret(Name="dataplatform/dev/airflow/config/fernet_key", SecretString="key")
    main = applied.project.environment("dev") / "main.tf"
    whole = main.read_text()
    main.write_text(whole.replace("force_destroy = true", "force_destroy = false"))
    applied("--yes", *INFRASTRUCTURE)
    applied.s3().put_object(Bucket="small-dev-example-dev", Key="kept", Body=b"kept")
    try:
        assert "BucketNotEmpty" in applied("destroy", "--yes", expect=1)
        assert [found["Name"] for found in secrets.list_secrets()["SecretList"]] == [
            "dataplatform/dev/airflow/config/fernet_key"
        ]
    finally:
        applied.s3().delete_object(Bucket="small-dev-example-dev", Key="kept")
        secrets.delete_secret(SecretId="dataplatform/dev/airflow/config/fernet_key", ForceDeleteWithoutRecovery=True)
        main.write_text(whole)
        applied("--yes", *INFRASTRUCTURE)


def test_a_held_state_lock_is_refused(applied):
    held = {
        "ID": "5f1c",
        "Operation": "OperationTypeApply",
        "Who": "ci@elsewhere",
        "Version": "1.11.4",
        "Created": "2026-01-02T03:04:05.678Z",
    }
    lock = {"Bucket": STATES, "Key": "dev/terraform.tfstate.tflock"}
    applied.s3().put_object(**lock, Body=json.dumps(held).encode())
    try:
        text = applied("--yes", *INFRASTRUCTURE, expect=3)
    finally:
        applied.s3().delete_object(**lock)
    assert "locked by ci@elsewhere (apply) since 2026-01-02 03:04:05 UTC" in text
    assert "force-unlock 5f1c" in text


def test_prod_asks_and_takes_an_approved_plan_once(run, tmp_path):
    """PROD is applied after an approval, and an approved plan fits one state and one use."""
    assert "needs an approval" in run("--only", "infrastructure", env="prod", expect=3)
    run("--yes", *INFRASTRUCTURE, env="prod")
    main = run.project.environment("prod") / "main.tf"
    main.write_text(main.read_text() + '\nresource "terraform_data" "more" {}\n')
    plan = tmp_path / "prod.tfplan"
    run("plan", "--out", str(plan), env="prod", expect=2)
    assert plan.stat().st_mode & 0o777 == 0o600

    text = run("--only", "infrastructure", "--plan", str(plan), env="prod")
    assert "1 created" in text
    assert "refused" in run("--only", "infrastructure", "--plan", str(plan), env="prod", expect=3)


def test_a_plan_file_that_was_touched_is_refused(applied, tmp_path):
    plan = tmp_path / "dev.tfplan"
    applied("plan", "--out", str(plan))
    plan.write_bytes(plan.read_bytes() + b" ")
    assert "its sha256 is" in applied("--only", "infrastructure", "--plan", str(plan), expect=3)


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from driver import cli
from tests.integration.driver.emulated import Emulated
sys.exit(cli.entry(sys.argv[1:], Path({checkout!r}), Emulated.at({endpoint!r})))
"""


def start(run: Runner, *arguments: str) -> subprocess.Popen:
    script = SCRIPT.format(root=str(ROOT), checkout=str(run.project.root), endpoint=run.account.endpoint)
    return subprocess.Popen(
        [sys.executable, "-c", script, "--env", "dev", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )


def read_until(process: subprocess.Popen, what: str) -> str:
    text = ""
    for line in process.stdout:
        text += line
        if what in line:
            return text
    raise AssertionError(f"{what!r} never came:\n{text}")


@pytest.fixture
def started(applied):
    """A file that is there once the change of `slow` is being made."""
    return small.change_slowly(applied.project, "dev", seconds=20)


@pytest.fixture
def slow(applied, started):
    """DEV as it was applied, and a change to come that takes seconds. A test leaves it changed."""
    return applied


def test_a_killed_run_is_taken_up_where_its_terraform_ends(slow, started):
    """Acceptance 5: kill -9 of the runner leaves Terraform at work; the next run waits, then finds nothing to do."""
    process = start(slow, "--yes", *INFRASTRUCTURE)
    read_until(process, "1 to replace")
    applying(slow, started)
    kill(process)
    text = slow("--yes", *INFRASTRUCTURE)
    assert "still works: waiting" in text
    assert "no changes" in text
    assert not any(slow.record()["changes"]["terraform"].values())


def test_a_killed_run_with_its_terraform_is_no_dead_end(slow, started):
    """The machine went down in the middle: the lock of what died is released, and the rest is built."""
    process = start(slow, "--yes", *INFRASTRUCTURE)
    read_until(process, "1 to replace")
    terraform = applying(slow, started)
    kill(process)
    os.killpg(os.getpgid(terraform), signal.SIGKILL)
    text = slow("--yes", *INFRASTRUCTURE)
    assert "released the state lock of a run that was killed here" in text
    assert "1 replaced" in text


def applying(run: Runner, started: Path) -> int:
    """The process of a `terraform apply` that holds the state's lock and makes the slow change."""
    deadline = time.monotonic() + 60
    while True:
        found = [
            left.pid for left in leftovers.find(run.project.runs("dev")) if left.terraform and "apply" in left.command
        ]
        if found and started.exists() and locked(run):
            return found[0]
        assert time.monotonic() < deadline
        time.sleep(0.1)


def kill(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def locked(run: Runner) -> bool:
    found = run.s3().list_objects_v2(Bucket=STATES, Prefix="dev/").get("Contents", [])
    return any(entry["Key"].endswith(".tflock") for entry in found)


def test_ctrl_c_lets_terraform_end_in_order(slow, started):
    process = start(slow, "--yes", *INFRASTRUCTURE)
    read_until(process, "1 to replace")
    applying(slow, started)
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait(60) == 130, rest
    process.stdout.close()
    assert "run the same command again" in rest
    assert not locked(slow)
    assert slow.record()["exit_code"] == 130
    assert "1 replaced" in slow("--yes", *INFRASTRUCTURE)


def test_nothing_secret_is_left_behind(applied):
    keys = [value for name, value in applied.account.given.items() if "SECRET" in name or "TOKEN" in name]
    assert keys
    for path in Path(applied.project.cache).rglob("*"):
        if path.is_file() and "providers" not in path.parts:
            data = path.read_bytes()
            assert not any(key.encode() in data for key in keys), path
