"""A users' CA with everything around it, in an emulated account of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[3]
ACCOUNT, REGION = "111122223333", "eu-central-1"
BUCKET = "nifi-dev-certs-test"
PICKUP = f"arn:aws:iam::{ACCOUNT}:role/dev-certificate-pickup"
RULES = [
    {"role": "admin", "match": {"organization": "Platform", "organizational_unit": "PlatformAdmins"}},
    {"role": "engineer", "match": {"organization": "Platform", "organizational_unit": "DataEng"}},
    {"role": "viewer", "match": {"organization": "Platform", "organizational_unit": ["Analytics", "Audit"]}},
]


@dataclass
class Account:
    """The emulated account: clients, names, and a way to run playbooks against it."""

    session: boto3.Session
    environment: dict[str, str]
    platform: dict[str, Any]

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.environment["AWS_ENDPOINT_URL"])

    @property
    def ca_arn(self) -> str:
        return str(self.platform["pki"]["users_ca_arn"])

    @property
    def trust_store_arn(self) -> str:
        return str(self.platform["alb"]["trust_store_arn"])

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """Everything in the certificates bucket below a prefix."""
        s3 = self.client("s3")
        keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def secret_names(self) -> set[str]:
        return {entry["Name"] for entry in self.client("secretsmanager").list_secrets()["SecretList"]}


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        assert url.startswith("http://"), "the server said no address"
        yield url
        process.terminate()
        process.wait(timeout=20)


def _authority(session: boto3.Session, endpoint: str) -> str:
    """A root CA that writes its revocation list into the bucket."""
    pca = session.client("acm-pca", endpoint_url=endpoint)
    arn = pca.create_certificate_authority(
        CertificateAuthorityType="ROOT",
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": "EC_prime256v1",
            "SigningAlgorithm": "SHA256WITHECDSA",
            "Subject": {"CommonName": "dev-acm-pca", "Organization": "Platform"},
        },
        RevocationConfiguration={
            "CrlConfiguration": {
                "Enabled": True,
                "ExpirationInDays": 7,
                "S3BucketName": BUCKET,
                "S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL",
            }
        },
    )["CertificateAuthorityArn"]
    csr = pca.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    root = pca.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=csr.encode(),
        SigningAlgorithm="SHA256WITHECDSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Type": "YEARS", "Value": 10},
    )["CertificateArn"]
    pem = pca.get_certificate(CertificateAuthorityArn=arn, CertificateArn=root)["Certificate"]
    pca.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=pem.encode())
    return str(arn)


def _bucket(session: boto3.Session, endpoint: str) -> Any:
    s3 = session.client("s3", endpoint_url=endpoint)
    for entry in s3.list_buckets()["Buckets"]:
        if entry["Name"] == BUCKET:
            for kept in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
                s3.delete_object(Bucket=BUCKET, Key=kept["Key"])
            return s3
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    resources = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "acm-pca.amazonaws.com"},
        "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketLocation"],
        "Resource": resources,
    }
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    return s3


@pytest.fixture
def account(endpoint: str, request: pytest.FixtureRequest) -> Account:
    """A new CA, an empty bucket, a new trust store, no secrets."""
    base = boto3.Session("AKIAREHEARSAL0000000", "x" * 40, region_name=REGION)
    keys = base.client("sts", endpoint_url=endpoint).assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/OrganizationAccountAccessRole", RoleSessionName="test"
    )["Credentials"]
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_MAX_ATTEMPTS": "2",
    }
    session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=REGION)
    s3 = _bucket(session, endpoint)
    secrets = session.client("secretsmanager", endpoint_url=endpoint)
    for entry in secrets.list_secrets()["SecretList"]:
        secrets.delete_secret(SecretId=entry["ARN"], ForceDeleteWithoutRecovery=True)
    ca_arn = _authority(session, endpoint)
    pem = session.client("acm-pca", endpoint_url=endpoint).get_certificate_authority_certificate(
        CertificateAuthorityArn=ca_arn
    )["Certificate"]
    s3.put_object(Bucket=BUCKET, Key="trust-store/users-ca.pem", Body=pem.encode())
    store = session.client("elbv2", endpoint_url=endpoint).create_trust_store(
        Name=f"dev-users-{ca_arn[-8:]}",
        CaCertificatesBundleS3Bucket=BUCKET,
        CaCertificatesBundleS3Key="trust-store/users-ca.pem",
    )["TrustStores"][0]["TrustStoreArn"]
    platform = {
        "env": "dev",
        "region": REGION,
        "account_id": ACCOUNT,
        "pki": {"users_ca_arn": ca_arn},
        "buckets": {"certificates": BUCKET},
        "alb": {"trust_store_arn": store},
        "roles": {"pickup": PICKUP},
    }
    session.client("ssm", endpoint_url=endpoint).put_parameter(
        Name="/dataplatform/dev/platform", Type="String", Value=json.dumps(platform), Overwrite=True
    )
    return Account(session, environment, platform)


@pytest.fixture
def requests_folder(tmp_path: Path) -> Callable[..., Path]:
    """requests_folder(alice="DataEng", …): a folder `dev` with one request for each user and unit; None removes one."""
    folder = tmp_path / "cert-requests" / "dev"
    folder.mkdir(parents=True)

    def write(expiry_days: int = 180, extra: str = "", **units: str | None) -> Path:
        for user, unit in units.items():
            file = folder / f"{user}.yaml"
            if unit is None:
                file.unlink()
                continue
            subject = f"subject: {{common_name: {user}, organizational_unit: {unit}, organization: Platform}}"
            file.write_text(f"user: {user}\nenv: dev\n{subject}\nexpiry_days: {expiry_days}\n{extra}")
        return folder

    return write


@pytest.fixture
def play(account: Account, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """play("issue-certificates", "-e", …): run a playbook (of the product, or a path): (exit code, output)."""

    def run(playbook: str, *arguments: str) -> tuple[int, str]:
        result = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                "-i",
                str(ROOT / "inventories" / "dev"),
                playbook if "/" in playbook else str(ROOT / "ansible" / "playbooks" / f"{playbook}.yml"),
                *arguments,
            ],
            capture_output=True,
            text=True,
            check=False,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
                **account.environment,
                "ANSIBLE_CONFIG": str(ROOT / "ansible" / "ansible.cfg"),
                "ANSIBLE_HOME": str(tmp_path / "ansible"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_NOCOLOR": "1",
            },
        )
        return result.returncode, result.stdout + result.stderr

    return run
