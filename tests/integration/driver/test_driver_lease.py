"""One run of an environment at a time, whatever machine it is on; S3's conditional writes decide who has it."""

from __future__ import annotations

import itertools
import json

import pytest
from botocore.stub import Stubber

from driver import lease, state
from driver.aws import Account
from driver.errors import DriverError, Refused
from driver.lease import Lease
from driver.project import private_folder
from tests.integration.driver.emulated import Emulated
from tests.integration.driver.runner import ACCOUNT, INFRASTRUCTURE
from tests.support.rehearsal import wait_for
from tests.unit.driver.fakes import fake_run

KEY = "dev/run.json"
NUMBERS = itertools.count(222200000001)


@pytest.fixture(scope="module")
def account():
    """One server for all tests of this file."""
    emulated = Emulated()
    yield emulated
    emulated.stop()


@pytest.fixture
def number():
    """An AWS account of the test's own."""
    return f"{next(NUMBERS)}"


@pytest.fixture
def states(account, number):
    """The account's state bucket."""
    s3 = account.client("s3", number)
    name = f"dataplatform-tfstate-{number}-eu-central-1"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return s3, name


@pytest.fixture
def at(account, number, tmp_path):
    """Leases of runs in several checkouts, each with what it has shown."""
    made = []

    def new(checkout: str) -> Lease:
        run, shown = fake_run(tmp_path / checkout)
        run.environment.account_id = number
        keys = account.credentials(number)
        run.__dict__["account"] = Account({**keys, "AWS_ENDPOINT_URL": account.endpoint}, "eu-central-1")
        run.folder = private_folder(run.folder.with_name(f"run-{len(made)}"))
        made.append(Lease(run))
        made[-1].shown = shown
        return made[-1]

    yield new
    for one in made:
        one.release()


def keys(states) -> list[str]:
    s3, name = states
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=name).get("Contents", [])]


def test_another_checkouts_run_is_refused_until_the_first_has_ended(states, at):
    first, second = at("one"), at("two")
    first.take()
    first.take()
    with pytest.raises(Refused, match=r"another run has dev: \S+@\S+ \(apply, since .*\); its last sign of life was"):
        second.take()
    first.release()
    assert keys(states) == []
    second.take()
    assert keys(states) == [KEY]


def test_without_a_state_bucket_there_is_nothing_to_take_yet(account, number, at):
    first = at("one")
    first.take()
    assert first.etag is None
    s3 = account.client("s3", number)
    s3.create_bucket(Bucket=state.bucket(first.run), CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    first.take()
    assert first.etag


def test_a_killed_run_of_this_checkout_keeps_nobody_out_of_it(states, at):
    at("one").take()
    next_one = at("one")
    next_one.take()
    assert "took over from a run that is dead" in next_one.shown.getvalue()


def test_a_run_that_gives_no_sign_of_life_loses_it_and_learns_who_has_it(states, at, monkeypatch):
    first, second = at("one"), at("two")
    first.take()
    monkeypatch.setattr(lease, "DEAD", 0.0)
    second.take()
    assert "took over" in second.shown.getvalue()
    first._renew()
    with pytest.raises(DriverError, match=r"dev was taken over by \S+@\S+ \(apply"):
        first.take()
    first.release()
    assert keys(states) == [KEY]


def test_it_is_renewed_and_nobody_takes_it_over(states, at, monkeypatch):
    s3, name = states
    monkeypatch.setattr(lease, "RENEW", 0.1)
    first, second = at("one"), at("two")
    first.take()
    began = s3.get_object(Bucket=name, Key=KEY)
    wait_for(lambda: s3.get_object(Bucket=name, Key=KEY)["LastModified"] > began["LastModified"], 30, "a renewal")
    monkeypatch.setattr(lease, "DEAD", 60.0)
    with pytest.raises(Refused):
        second.take()
    first.take()


def test_an_answer_that_was_lost_is_no_take_over(states, at):
    """botocore asks again when a connection breaks, and S3 refuses what it has already done."""
    first = at("one")
    first.take()
    first._claim(first.etag)
    first._renew()
    first.take()
    first.release()
    assert keys(states) == []


def test_a_run_that_slept_looks_before_it_goes_on(states, at, monkeypatch):
    first, second = at("one"), at("two")
    first.take()
    monkeypatch.setattr(lease, "DEAD", 0.0)
    second.take()
    first._renewed -= 3 * lease.RENEW
    with pytest.raises(DriverError, match="was taken over by"):
        first.take()


def test_who_may_not_write_there_is_told_and_goes_on(states, at, monkeypatch):
    """An environment whose roles are from before the lease."""
    first = at("one")
    client = first.run.account.client("s3")
    with Stubber(client) as stub:
        stub.add_response("head_bucket", {})
        stub.add_client_error("put_object", "AccessDenied", http_status_code=403)
        first.take()
    assert "another machine is not kept out: s3://" in first.shown.getvalue()
    first.take()
    assert keys(states) == [KEY]


def test_a_run_elsewhere_is_refused_before_anything_changes(run):
    run("--yes", *INFRASTRUCTURE)
    states = f"dataplatform-tfstate-{ACCOUNT}-eu-central-1"
    assert KEY not in [entry["Key"] for entry in run.s3().list_objects_v2(Bucket=states)["Contents"]]
    other = {"who": "alice@laptop", "verb": "apply", "began": "2026-01-01T00:00:00Z"}
    run.s3().put_object(Bucket=states, Key=KEY, Body=json.dumps(other).encode())
    text = run("--yes", "--only", "certificates", expect=3)
    assert "another run has dev: alice@laptop (apply, since 2026-01-01T00:00:00Z)" in text
    assert "alice@laptop" in run("destroy", "--yes", expect=3)
    assert "small-dev-example-dev" in run.buckets()
    assert "no changes" in run("plan")
