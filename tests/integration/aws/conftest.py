"""An emulated account for the tests: one server process per test module, sessions of a chosen account."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-central-1"
Client = Callable[..., object]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The URL of a server started for this module on a free port."""
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        assert url.startswith("http://"), "the server said no address"
        yield url
        process.terminate()
        process.wait(timeout=20)


def _session(endpoint: str, account: str) -> boto3.Session:
    base = boto3.Session("AKIAREHEARSAL0000000", "x" * 40, region_name=REGION)
    assumed = base.client("sts", endpoint_url=endpoint).assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="test"
    )["Credentials"]
    return boto3.Session(
        assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"], region_name=REGION
    )


@pytest.fixture(scope="module")
def client(endpoint: str) -> Client:
    """client(service, account="111122223333"): a boto3 client of that account at the emulated endpoint."""
    sessions: dict[str, boto3.Session] = {}
    config = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})

    def make(service: str, account: str = "111122223333") -> object:
        if account not in sessions:
            sessions[account] = _session(endpoint, account)
        return sessions[account].client(service, endpoint_url=endpoint, config=config)

    return make
