"""The server process: readiness, accounts kept apart, concurrent callers, what it refuses."""

from __future__ import annotations

import importlib.metadata
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

from rehearsal.accounts import changes
from rehearsal.aws import version
from rehearsal.distribution.release import RELEASE

ACCOUNTS = ("111122223333", "444455556666", "777788889999")


def test_says_when_it_is_ready(endpoint):
    with urllib.request.urlopen(f"{endpoint}/_rehearsal/ready") as answer:
        said = json.load(answer)
    assert said.pop("changes") >= 0
    assert said == {"ready": True, "moto": "5.2.5"}


def test_counts_the_calls_that_may_change_what_the_supervisor_follows(endpoint, client):
    ec2, s3, ssm = (client(name, ACCOUNTS[0]) for name in ("ec2", "s3", "ssm"))
    s3.create_bucket(Bucket="counted", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    before = changes(endpoint)
    ec2.describe_vpcs()
    ssm.describe_parameters()
    s3.put_object(Bucket="counted", Key="data", Body=b"1")
    s3.list_objects_v2(Bucket="counted")
    assert changes(endpoint) == before
    ec2.create_vpc(CidrBlock="10.9.0.0/16")
    ssm.put_parameter(Name="/counted", Value="1", Type="String")
    assert changes(endpoint) == before + 2
    client("emr-serverless", ACCOUNTS[0]).create_application(type="Spark", releaseLabel=RELEASE.label)
    assert changes(endpoint) == before + 3


def test_nobody_answers_at_a_closed_port():
    assert changes("http://127.0.0.1:1") is None


def test_an_unknown_route_of_the_rehearsal_is_not_found(endpoint):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{endpoint}/_rehearsal/nothing")
    assert refused.value.code == 404


def test_refuses_another_moto(monkeypatch):
    monkeypatch.setattr(version, "version", lambda name: "5.2.6")
    with pytest.raises(version.WrongMotoError, match=r"5\.2\.6 is installed"):
        version.check()


def test_the_locked_requirements_hold_the_pinned_moto():
    assert importlib.metadata.version("moto") == version.MOTO


def test_an_assumed_role_acts_in_its_own_account(client):
    """https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html"""
    for account in ACCOUNTS:
        identity = client("sts", account).get_caller_identity()
        assert identity["Account"] == account
        assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/OrganizationAccountAccessRole/test"


def test_accounts_do_not_see_each_other(client):
    client("ssm", ACCOUNTS[0]).put_parameter(Name="/only/here", Value="1", Type="String")
    assert client("ssm", ACCOUNTS[1]).describe_parameters()["Parameters"] == []


def test_aws_managed_policies_exist_in_every_account(client):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html"""
    for account in ACCOUNTS:
        policy = client("iam", account).get_policy(PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore")
        assert policy["Policy"]["PolicyName"] == "AmazonSSMManagedInstanceCore"


def test_a_call_that_an_sdk_repeats_is_done_once(client):
    """https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html"""
    ec2 = client("ec2")
    call = "one"

    def mark(request, **_):
        request.headers["amz-sdk-invocation-id"] = call

    ec2.meta.events.register("before-send.ec2.CreateVpc", mark)
    try:
        first = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        assert ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] == first
        call = "another"
        assert ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"] != first
    finally:
        ec2.meta.events.unregister("before-send.ec2.CreateVpc", mark)


def test_many_callers_at_once_are_all_answered(client):
    s3, ssm = client("s3"), client("ssm")
    s3.create_bucket(Bucket="busy", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})

    def call(number: int) -> int:
        s3.put_object(Bucket="busy", Key=f"{number}", Body=b"x" * 1000)
        ssm.put_parameter(Name=f"/busy/{number}", Value="1", Type="String")
        return s3.list_objects_v2(Bucket="busy")["KeyCount"]

    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(call, range(80)))
    assert max(counts) == 80
    assert len(ssm.get_parameters_by_path(Path="/busy")["Parameters"]) == 10
