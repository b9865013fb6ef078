"""An emulated account for the driver's integration tests: the API alone, without hosts."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3

from tests.support import pki
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]


class Emulated:
    """The account's API as a connector of the driver."""

    kind = "rehearsal"
    disposable = True
    values_name = "terraform.tfvars.example"

    def __init__(self) -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen | None = subprocess.Popen(
            [sys.executable, "-m", "rehearsal.aws.server", "--port", str(port)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._begin()
        self._wait()

    @classmethod
    def at(cls, endpoint: str) -> Emulated:
        """One that another process has started."""
        found = cls.__new__(cls)
        found.endpoint, found.process = endpoint, None
        found._begin()
        return found

    def _begin(self) -> None:
        self.closed = False
        self.caller: str | None = None  # the account whose credentials are handed out; None: the environment's
        self.given: dict[str, str] = {}
        self.authority = pki.Authority("Listener CA")

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            assert self.process
            assert self.process.poll() is None, "the account's server ended"
            try:
                urllib.request.urlopen(f"{self.endpoint}/_rehearsal/ready", timeout=2).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def credentials(self, account_id: str) -> dict[str, str]:
        sts = boto3.client(
            "sts",
            endpoint_url=self.endpoint,
            region_name="eu-central-1",
            aws_access_key_id="base",
            aws_secret_access_key="base-secret",
        )
        role = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
        given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    def client(
        self, service: str, account_id: str = "", region: str = "eu-central-1", keys: Mapping[str, str] | None = None
    ) -> Any:
        """A boto3 client of one of the accounts."""
        keys = keys or self.credentials(account_id)
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=region,
            aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=keys["AWS_SESSION_TOKEN"],
        )

    def running(self, env: str) -> bool:
        return True

    def open(self, env: str, values: Mapping[str, Any], progress: Callable[[str], None]) -> Mapping[str, Any]:
        self.given = self.credentials(self.caller or values["account_id"])
        environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": values["region"],
            "AWS_DEFAULT_REGION": values["region"],
            "AWS_MAX_ATTEMPTS": "2",
            **self.given,
        }
        arn = self._certificate(environment, f"nifi.{env}.rehearsal.localhost")
        self._key(environment)
        domain = f"{env}.rehearsal.localhost"
        terraform = {"certificate_arn": arn, "s3_use_path_style": True, "domain": domain}
        return {
            "environment": environment,
            "terraform_values": terraform,
            "backend_config": {"use_path_style": "true"},
        }

    def _key(self, environment: Mapping[str, str]) -> None:
        """The key that small.py's bootstrap looks up."""
        kms = self.client("kms", region=environment["AWS_REGION"], keys=environment)
        if not any(alias["AliasName"] == "alias/made-beforehand" for alias in kms.list_aliases()["Aliases"]):
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            kms.create_alias(AliasName="alias/made-beforehand", TargetKeyId=key)

    def _certificate(self, environment: Mapping[str, str], name: str) -> str:
        """A certificate for the listener: one in ACM, made at the first call."""
        acm = self.client("acm", region=environment["AWS_REGION"], keys=environment)
        for known in acm.list_certificates()["CertificateSummaryList"]:
            if known["DomainName"] == name:
                return str(known["CertificateArn"])
        issued = self.authority.issue(pki.name(CN=name), name)
        chain = self.authority.pem
        done = acm.import_certificate(
            Certificate=issued.certificate_pem, PrivateKey=issued.key_pem, CertificateChain=chain
        )
        return str(done["CertificateArn"])

    def problems(self) -> dict[str, str]:
        return {}

    def close(self, env: str, progress: Callable[[str], None]) -> None:
        self.closed = True

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
