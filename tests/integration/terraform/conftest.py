"""Terraform in a copy of the sources, against an emulated account of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest

from driver import tfvars
from driver.providers import settings
from tests.integration.terraform.terraform_runner import Terraform

ROOT = Path(__file__).resolve().parents[3]
REGION = "eu-central-1"
ARCHIVE = {"nifi_archive_url": "s3://artifacts/nifi/nifi.zip", "nifi_archive_checksum": "sha256:" + "0" * 64}
# Imported certificates are not looked up by a plan, only named.
CERTIFICATE = "arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """sources(NAME): a fresh copy of `terraform/`."""

    def copy(name: str) -> Path:
        target = tmp_path_factory.mktemp(name) / "terraform"
        shutil.copytree(
            ROOT / "terraform", target, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*", "terraform.tfvars")
        )
        return target

    return copy


@pytest.fixture(scope="session")
def providers() -> dict[str, str]:
    """Variables that tell terraform where to find the AWS provider, as the driver decides it."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    return settings(cache)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """The URL of an emulated account on a free port."""
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().rpartition(" ")[2].strip()
        assert url.startswith("http://"), "the server said no address"
        yield url
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def credentials(endpoint: str) -> Callable[[str], dict[str, str]]:
    """credentials(ACCOUNT_ID): variables with which terraform and boto3 work in that account."""

    def assume(account_id: str) -> dict[str, str]:
        base = boto3.Session("AKIAREHEARSAL0000000", "x" * 40, region_name=REGION)
        given = base.client("sts", endpoint_url=endpoint).assume_role(
            RoleArn=f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole", RoleSessionName="terraform"
        )["Credentials"]
        return {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_MAX_ATTEMPTS": "2",
            "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
            "AWS_SESSION_TOKEN": given["SessionToken"],
        }

    return assume


@pytest.fixture(scope="session")
def example() -> Callable[[str], dict[str, Any]]:
    """example(ENV): the values of that environment's terraform.tfvars.example, made complete."""

    def values(env: str) -> dict[str, Any]:
        given = tfvars.load(ROOT / "terraform" / "environments" / env / "terraform.tfvars.example").value
        return {**given, **ARCHIVE, "certificate_arn": CERTIFICATE, "s3_use_path_style": True}

    return values


@pytest.fixture(scope="session")
def planner(
    sources: Callable[[str], Path], providers: dict[str, str], credentials: Callable[[str], dict[str, str]]
) -> Callable[..., dict[str, Any]]:
    """planner(ENV, VALUES): the plan of an environment from nothing, in its account, with a local state."""
    roots: dict[str, Terraform] = {}

    def plan(env: str, values: Mapping[str, Any], name: str = "plan") -> dict[str, Any]:
        if env not in roots:
            folder = sources(env) / "environments" / env
            (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
            roots[env] = Terraform(folder, {**providers, **credentials(str(values["account_id"]))})
            roots[env].init()
        return roots[env].plan(values, name)

    return plan
