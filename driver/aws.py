"""What the driver itself asks AWS, each call in one function: who am I, is this state locked, what did Terraform
write down.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from driver.errors import DriverError

CREDENTIALS_FIX = "put credentials of that account into the environment (aws sso login, AWS_PROFILE, an OIDC role, …)"
NETWORK_FIX = "look at the network, or at the endpoint"
# What S3 says of a conditional write: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
UNCLAIMED = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")


class NotAllowed(DriverError):
    """The credentials may not do this."""


@dataclass(frozen=True)
class Claimed:
    """An object, and how many seconds ago it was written: by S3's own clock, whatever this machine's says."""

    body: bytes
    etag: str
    age: float


@contextmanager
def answering(what: str) -> Iterator[None]:
    """Around calls of AWS's API. :raises DriverError: names what could not be asked, and what AWS said"""
    try:
        yield
    except NoCredentialsError as error:
        raise DriverError(f"{what}: {error}", CREDENTIALS_FIX) from None
    except ClientError as error:
        raise DriverError(f"{what}: {error}", f"{CREDENTIALS_FIX}, and see that they may do this") from None
    except BotoCoreError as error:
        raise DriverError(f"{what}: AWS does not answer: {error}", NETWORK_FIX) from None


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


class Account:
    """An account and region, reached with the target's credentials and endpoints.

    :raises DriverError: the profile that the environment names is not there
    """

    def __init__(self, environment: Mapping[str, str], region: str) -> None:
        self.region = region
        self.endpoint = environment.get("AWS_ENDPOINT_URL")
        key = environment.get("AWS_ACCESS_KEY_ID")
        # With keys of its own, the profile that the shell names is another account's business.
        core = botocore.session.Session(session_vars={"profile": (None, [], None, None)} if key else None)
        try:
            self._session: Any = boto3.Session(
                aws_access_key_id=key,
                aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
                aws_session_token=environment.get("AWS_SESSION_TOKEN"),
                region_name=region,
                botocore_session=core,
            )
        except BotoCoreError as error:
            raise DriverError(f"no usable AWS credentials: {error}", CREDENTIALS_FIX) from None
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._clients:
            config = Config(
                connect_timeout=5,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
                proxies={} if self.endpoint else None,  # the machine's proxies are for the real AWS
            )
            self._clients[service] = self._session.client(service, endpoint_url=self.endpoint, config=config)
        return self._clients[service]

    def caller(self) -> str:
        """The account id of the credentials. :raises DriverError: there are none, or they are not accepted"""
        try:
            return str(self.client("sts").get_caller_identity()["Account"])
        except (BotoCoreError, ClientError) as error:
            raise DriverError(f"no usable AWS credentials: {error}", CREDENTIALS_FIX) from None

    def bucket(self, name: str) -> str:
        """``ours`` (or open to us), ``taken`` (another account's) or ``free``."""
        with answering(f"s3://{name}"):
            try:
                self.client("s3").head_bucket(Bucket=name)
            except ClientError as error:
                if _status(error) not in (301, 403, 404):
                    raise
                return "free" if _status(error) == 404 else "taken"
        return "ours"

    def bucket_key(self, name: str) -> str | None:
        """The ARN of the KMS key that encrypts a bucket by default; None without such a bucket or key."""
        with answering(f"s3://{name}"):
            try:
                answer = self.client("s3").get_bucket_encryption(Bucket=name)
            except ClientError:
                return None
        found = answer["ServerSideEncryptionConfiguration"]["Rules"]
        defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in found]
        return next((str(default["KMSMasterKeyID"]) for default in defaults if default.get("KMSMasterKeyID")), None)

    def object(self, bucket: str, key: str) -> bytes | None:
        """An object's content; None when it, or its bucket, does not exist."""
        with answering(f"s3://{bucket}/{key}"):
            try:
                return bytes(self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise

    def put_object(self, bucket: str, key: str, body: bytes) -> None:
        with answering(f"s3://{bucket}/{key}"):
            self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)

    def claim(self, bucket: str, key: str, body: bytes, etag: str | None = None) -> str | None:
        """Write an object if there is none, or with ``etag`` if it is still that one. Its ETag; None: it is not so, or
        somebody writes it at this moment.

        :raises NotAllowed: the credentials may not write it
        """
        condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
        with answering(f"s3://{bucket}/{key}"):
            try:
                return str(self.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **condition)["ETag"])
            except ClientError as error:
                if error.response["Error"]["Code"] in UNCLAIMED:
                    return None
                if _status(error) == 403:
                    raise NotAllowed(f"s3://{bucket}/{key}: {error}", CREDENTIALS_FIX) from None
                raise

    def claimed(self, bucket: str, key: str) -> Claimed | None:
        """An object that somebody claims; None when there is none."""
        with answering(f"s3://{bucket}/{key}"):
            try:
                found = self.client("s3").get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if _status(error) == 404:
                    return None
                raise
            said = parsedate_to_datetime(found["ResponseMetadata"]["HTTPHeaders"]["date"])
            return Claimed(found["Body"].read(), found["ETag"], (said - found["LastModified"]).total_seconds())

    def delete_object(self, bucket: str, key: str, etag: str | None = None) -> None:
        """Remove an object; with ``etag``, only that one."""
        condition = {"IfMatch": etag} if etag else {}
        with answering(f"s3://{bucket}/{key}"):
            self.client("s3").delete_object(Bucket=bucket, Key=key, **condition)

    def platform(self, env: str, document: str = "platform") -> dict[str, Any] | None:
        """The platform document that Terraform wrote; None before the first apply.

        :param document: ``preparation`` is its part that is known before balancer and database
        """
        client = self.client("ssm")
        name = f"/dataplatform/{env}/{document}"
        with answering(name):
            try:
                return dict(json.loads(client.get_parameter(Name=name)["Parameter"]["Value"]))
            except client.exceptions.ParameterNotFound:
                return None

    def group(self, name: str) -> tuple[int, list[str]]:
        """The desired capacity of an Auto Scaling group, and the ids of its instances in service."""
        groups = self._groups(name)
        if not groups:
            return 0, []
        instances = groups[0]["Instances"]
        serving = [
            i["InstanceId"] for i in instances if i["LifecycleState"] == "InService" and i["HealthStatus"] == "Healthy"
        ]
        return int(groups[0]["DesiredCapacity"]), serving

    def outdated(self, name: str) -> list[str]:
        """Ids of an Auto Scaling group's instances with another version of the launch template than its own."""
        return [
            instance["InstanceId"]
            for group in self._groups(name)
            for instance in group["Instances"]
            if instance.get("LaunchTemplate", {}).get("Version") != group["LaunchTemplate"]["Version"]
        ]

    def _groups(self, name: str) -> list[dict[str, Any]]:
        """The Auto Scaling group of that name, or nothing."""
        with answering(f"the Auto Scaling group {name}"):
            client = self.client("autoscaling")
            return list(client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"])

    def running(self, ids: list[str]) -> list[dict[str, Any]]:
        """Those of the instances that are there: id, private IP, zone, state."""
        if not ids:
            return []
        with answering(f"the instances {', '.join(ids)}"):
            paginator = self.client("ec2").get_paginator("describe_instances")
            pages = list(paginator.paginate(Filters=[{"Name": "instance-id", "Values": ids}]))
        return [
            {
                "instance_id": instance["InstanceId"],
                "private_ip": instance.get("PrivateIpAddress", ""),
                "az": instance["Placement"]["AvailabilityZone"],
                "state": instance["State"]["Name"],
            }
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        ]

    def health(self, target_group_arn: str) -> dict[str, str]:
        """Instance id → what the load balancer thinks of it."""
        with answering(f"the target group {target_group_arn}"):
            client = self.client("elbv2")
            found = client.describe_target_health(TargetGroupArn=target_group_arn)["TargetHealthDescriptions"]
        return {item["Target"]["Id"]: item["TargetHealth"]["State"] for item in found}
