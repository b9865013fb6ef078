"""What the driver asks AWS, and how it tells what AWS said."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import Stubber

from driver.aws import Account
from driver.errors import DriverError

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture
def account() -> Account:
    return Account(KEYS, "eu-central-1")


@pytest.fixture
def s3(account: Account) -> Iterator[Stubber]:
    with Stubber(account.client("s3")) as stubber:
        yield stubber


def test_what_is_not_there_is_no_error(account: Account, s3: Stubber) -> None:
    s3.add_client_error("get_object", "NoSuchKey", http_status_code=404)
    assert account.object("states", "dev/terraform.tfstate") is None


@pytest.mark.parametrize(("status", "whose"), [(403, "taken"), (301, "taken"), (404, "free")])
def test_whose_a_bucket_is(account: Account, s3: Stubber, status: int, whose: str) -> None:
    s3.add_client_error("head_bucket", str(status), http_status_code=status)
    assert account.bucket("states") == whose


def test_a_second_writer_of_the_one_object_is_told(account: Account, s3: Stubber) -> None:
    s3.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    assert account.claim("states", "mark", b"") is None
    s3.add_client_error("put_object", "PreconditionFailed", http_status_code=412)
    with pytest.raises(DriverError, match=r"s3://states/mark: .*PreconditionFailed"):
        account.put_object("states", "mark", b"")


def test_a_refusal_names_what_was_asked_and_whose_rights_are_missing(account: Account, s3: Stubber) -> None:
    s3.add_client_error("get_object", "AccessDenied", http_status_code=403)
    with pytest.raises(DriverError, match=r"s3://states/key: .*AccessDenied") as error:
        account.object("states", "key")
    assert "see that they may do this" in error.value.fix


def test_a_profile_that_is_not_there_is_named_and_with_own_keys_not_asked_for(monkeypatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "dev-typo")
    assert Account(KEYS, "eu-central-1").client("s3").meta.region_name == "eu-central-1"
    with pytest.raises(DriverError, match=r"no usable AWS credentials: .*dev-typo") as error:
        Account({}, "eu-central-1")
    assert "AWS_PROFILE" in error.value.fix


@pytest.mark.parametrize("call", ["object", "put_object", "bucket", "bucket_key"])
def test_without_credentials_the_fix_is_credentials(account: Account, monkeypatch, call: str) -> None:
    def nobody(*_: object, **__: object) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(account.client("s3"), "_make_api_call", nobody)
    arguments = {"object": ("b", "k"), "put_object": ("b", "k", b"")}.get(call, ("b",))
    with pytest.raises(DriverError, match=r"s3://b.*credentials") as error:
        getattr(account, call)(*arguments)
    assert "aws sso login" in error.value.fix


def test_instances_of_an_older_launch_template_are_known(account: Account) -> None:
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Instance.html: each names the version it has."""
    template = {"LaunchTemplateId": "lt-0123456789", "LaunchTemplateName": "dev-nifi"}
    common = {"AvailabilityZone": "eu-central-1a", "LifecycleState": "InService", "HealthStatus": "Healthy"}
    instances = [
        {"InstanceId": f"i-{version}", "LaunchTemplate": {**template, "Version": version}, **common}
        | {"ProtectedFromScaleIn": False}
        for version in ("2", "3")
    ]
    group = {"AutoScalingGroupName": "dev-nifi", "MinSize": 1, "MaxSize": 1, "DesiredCapacity": 1, "DefaultCooldown": 1}
    group |= {"AvailabilityZones": ["eu-central-1a"], "HealthCheckType": "EC2", "CreatedTime": "2026-01-01T00:00:00Z"}
    group |= {"LaunchTemplate": {**template, "Version": "3"}, "Instances": instances}
    with Stubber(account.client("autoscaling")) as stubber:
        stubber.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [group]})
        assert account.outdated("dev-nifi") == ["i-2"]
