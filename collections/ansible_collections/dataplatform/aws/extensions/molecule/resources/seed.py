"""Fill an empty emulated account with what the roles read, and print the platform document.

Usage: seed.py ARCHIVE_PATH ARCHIVE_SHA256, with AWS_ENDPOINT_URL and credentials in the environment.
"""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

import boto3

REGION = "eu-central-1"
CERTIFICATES = "nifi-dev-certs-molecule"


def authority(name: str, mode: str) -> str:
    """Make a root CA that is ready to sign; return its ARN."""
    client = boto3.client("acm-pca")
    configuration = {
        "KeyAlgorithm": "EC_prime256v1",
        "SigningAlgorithm": "SHA256WITHECDSA",
        "Subject": {"Organization": "Platform", "CommonName": name},
    }
    arn = client.create_certificate_authority(
        CertificateAuthorityConfiguration=configuration, CertificateAuthorityType="ROOT", UsageMode=mode
    )["CertificateAuthorityArn"]
    request = client.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
    certificate_arn = client.issue_certificate(
        CertificateAuthorityArn=arn,
        Csr=request.encode(),
        SigningAlgorithm="SHA256WITHECDSA",
        TemplateArn="arn:aws:acm-pca:::template/RootCACertificate/V1",
        Validity={"Type": "DAYS", "Value": 3650},
    )["CertificateArn"]
    certificate = client.get_certificate(CertificateAuthorityArn=arn, CertificateArn=certificate_arn)["Certificate"]
    client.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=certificate.encode())
    return arn


def main() -> None:
    """Print the platform document."""
    archive, checksum = sys.argv[1:3]
    boto3.client("s3").create_bucket(Bucket=CERTIFICATES, CreateBucketConfiguration={"LocationConstraint": REGION})
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    boto3.client("s3").put_object(
        Bucket=CERTIFICATES, Key="revocations/users.txt", Body=f"# updated {now}\ndeadbeef\n".encode()
    )
    key = boto3.client("kms").create_key(Description="molecule")["KeyMetadata"]["Arn"]
    document = {
        "env": "dev",
        "region": REGION,
        "hosts": {"nifi": "nifi.dev.molecule.test"},
        "pki": {
            "users_ca_arn": authority("dev-acm-pca", "GENERAL_PURPOSE"),
            "services_ca_arn": authority("dev-acm-pca-services", "SHORT_LIVED_CERTIFICATE"),
        },
        "buckets": {"certificates": CERTIFICATES},
        "kms": {"data_key_arn": key},
        "nifi": {
            "edge_port": 9443,
            "https_port": 8443,
            "archive_url": f"file:///srv/nifi/{Path(archive).name}",
            "archive_checksum": checksum if ":" in checksum else f"sha256:{checksum}",
            "log_group": "/dataplatform/dev/nifi",
        },
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
