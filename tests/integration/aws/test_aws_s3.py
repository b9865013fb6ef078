"""S3: bucket policies and access logging of the mended emulation."""

from __future__ import annotations

import copy
import json

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import FakeKey

from rehearsal.aws import s3 as mended  # noqa: F401 - what it mends is tested here

REGION = {"LocationConstraint": "eu-central-1"}


def statement(bucket: str, **more) -> dict:
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    return {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": resources, **more}


@pytest.fixture
def bucket(client, request):
    """bucket(*statements): the name of a new bucket with a policy of these statements."""
    s3, made = client("s3"), []

    def make(*statements) -> str:
        name = f"{request.node.name.replace('_', '-')[:50]}-{len(made)}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration=REGION)
        made.append(name)
        if statements:
            policy = {"Version": "2012-10-17", "Statement": [s(name) for s in statements]}
            s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        return name

    return make


def test_a_tls_only_policy_lets_tls_requests_pass(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html#example-bucket-policies-HTTP-HTTPS"""
    name = bucket(lambda b: statement(b, Condition={"Bool": {"aws:SecureTransport": "false"}}))
    client("s3").put_object(Bucket=name, Key="a", Body=b"1")
    assert client("s3").get_object(Bucket=name, Key="a")["Body"].read() == b"1"


def test_an_unconditional_denial_denies(client, bucket):
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html"""
    name = bucket(lambda b: statement(b, Action=["s3:PutObject"]))
    with pytest.raises(ClientError) as refused:
        client("s3").put_object(Bucket=name, Key="a", Body=b"1")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def allow_logging(name: str) -> dict:
    resource = [f"arn:aws:s3:::{name}/s3/*"]
    return statement(
        name,
        Effect="Allow",
        Principal={"Service": "logging.s3.amazonaws.com"},
        Action="s3:PutObject",
        Resource=resource,
        Condition={"StringEquals": {"aws:SourceAccount": "111122223333"}},
    )


def test_logging_is_accepted_where_the_policy_allows_the_prefix(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html"""
    logs = bucket(lambda b: statement(b, Condition={"Bool": {"aws:SecureTransport": "false"}}), allow_logging)
    source = bucket()
    logging = {"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": "s3/source/"}}
    client("s3").put_bucket_logging(Bucket=source, BucketLoggingStatus=logging)
    found = client("s3").get_bucket_logging(Bucket=source)["LoggingEnabled"]
    assert (found["TargetBucket"], found["TargetPrefix"]) == (logs, "s3/source/")


def test_many_requests_are_logged_in_few_objects(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html#how-logs-delivered"""
    logs, source = bucket(allow_logging), bucket()
    logging = {"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": "s3/source/"}}
    client("s3").put_bucket_logging(Bucket=source, BucketLoggingStatus=logging)
    for number in range(20):
        client("s3").put_object(Bucket=source, Key=str(number), Body=b"x")
    assert client("s3").list_objects_v2(Bucket=logs)["KeyCount"] < 2


def test_logging_is_refused_where_it_does_not(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html"""
    logs, source = bucket(allow_logging), bucket()
    logging = {"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": "elsewhere/"}}
    with pytest.raises(ClientError) as refused:
        client("s3").put_bucket_logging(Bucket=source, BucketLoggingStatus=logging)
    assert refused.value.response["Error"]["Code"] == "InvalidTargetBucketForLogging"


def test_a_lifecycle_rule_keeps_how_many_newer_versions_it_spares(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html"""
    name = bucket()
    expiration = {"NoncurrentDays": 180, "NewerNoncurrentVersions": 20}
    rules = [
        {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": expiration},
        {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}},
    ]
    client("s3").put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration={"Rules": rules})
    assert client("s3").get_bucket_lifecycle_configuration(Bucket=name)["Rules"] == rules


def test_delete_markers_go_by_their_version(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/RemDelMarker.html"""
    name = bucket()
    client("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    client("s3").put_object(Bucket=name, Key="a", Body=b"1")
    client("s3").delete_object(Bucket=name, Key="a")
    found = client("s3").list_object_versions(Bucket=name)
    objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in found["Versions"] + found["DeleteMarkers"]]
    assert "Errors" not in client("s3").delete_objects(Bucket=name, Delete={"Objects": objects})
    left = client("s3").list_object_versions(Bucket=name)
    assert "Versions" not in left
    assert "DeleteMarkers" not in left


def test_names_are_encoded_for_who_asks(client, bucket):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html (encoding-type): Terraform asks."""
    s3, name = client("s3"), bucket()
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a+b c/1", "a+b c/2", "gone+"):
        s3.put_object(Bucket=name, Key=key, Body=b"1")
    s3.delete_object(Bucket=name, Key="gone+")
    found = s3.list_object_versions(Bucket=name, EncodingType="url", Prefix="a+b c/", MaxKeys=1)
    assert (found["EncodingType"], found["Prefix"]) == ("url", "a%2Bb%20c/")
    assert (found["Versions"][0]["Key"], found["NextKeyMarker"]) == ("a%2Bb%20c/1", "a%2Bb%20c/1")
    markers = s3.list_object_versions(Bucket=name, EncodingType="url")["DeleteMarkers"]
    assert [marker["Key"] for marker in markers] == ["gone%2B"]
    folders = s3.list_object_versions(Bucket=name, EncodingType="url", Delimiter="/")["CommonPrefixes"]
    assert folders == [{"Prefix": "a%2Bb%20c/"}]
    # boto3 asks by itself when nobody else does, and hands out names as they are
    assert {one["Key"] for one in s3.list_object_versions(Bucket=name)["Versions"]} == {"a+b c/1", "a+b c/2", "gone+"}


def test_listing_versions_leaves_their_contents_alone(client, bucket):
    """Each page of a listing took a copy of all contents, which stayed in memory: some gigabytes to empty a lake."""
    s3, name = client("s3"), bucket()
    s3.put_object(Bucket=name, Key="a", Body=b"1" * 1000)
    assert s3.list_object_versions(Bucket=name)["Versions"][0]["Size"] == 1000
    assert s3.get_object(Bucket=name, Key="a")["Body"].read() == b"1" * 1000
    key = FakeKey("a", b"1" * 1000, "111122223333", "eu-central-1")
    known = len(FakeKey.instances_tracked)
    assert copy.deepcopy([key])[0].size == 1000
    assert len(FakeKey.instances_tracked) == known
    assert key.value == b"1" * 1000
