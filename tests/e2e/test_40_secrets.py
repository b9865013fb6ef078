"""Secrets of a running platform are nowhere but where they belong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.support.rehearsal import ROOT, Rehearsal

PEM_KEY = b"PRIVATE KEY-----"


@pytest.fixture(scope="module")
def secrets(dev: Rehearsal) -> list[bytes]:
    """Every secret value of the account, and those kept on the NiFi host."""
    client = dev.client("secretsmanager")
    values: list[bytes] = []
    for page in client.get_paginator("list_secrets").paginate():
        for entry in page["SecretList"]:
            value = client.get_secret_value(SecretId=entry["ARN"])
            values += parts(value.get("SecretBinary") or value["SecretString"].encode())
    address = dev.nodes("nifi")[0]["private_ip"]
    # (a trust store's password guards nothing: the file holds public certificates)
    guarded = r"^nifi\.(security\.key(store)?Passwd|sensitive\.props\.key)=.+"
    on_host = dev.ssh(address, f"grep -hE '{guarded}' /opt/nifi/current/conf/nifi.properties")
    values += [line.split("=", 1)[1].strip().encode() for line in on_host.splitlines()]
    assert len(values) >= 5
    return [value for value in values if len(value) >= 8]


def parts(value: bytes) -> list[bytes]:
    """A secret; of one in JSON the password, of a database's address the password in it."""
    try:
        document = json.loads(value)
    except ValueError:
        inside = re.search(rb"://[^:/@]+:([^@]+)@", value)
        return [value, *([inside[1]] if inside else [])]
    return [document["password"].encode()] if isinstance(document, dict) and "password" in document else [value]


def found_in(data: bytes, secrets: list[bytes]) -> bool:
    return PEM_KEY in data or any(secret in data for secret in secrets)


def test_not_in_records_logs_and_artifacts(dev, secrets):
    folders = [ROOT / ".cache" / "runs"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert files
    assert [str(path) for path in files if found_in(path.read_bytes(), secrets)] == []


def test_not_in_terraform_state(dev, secrets):
    s3 = dev.client("s3")
    states = 0
    for bucket in (entry["Name"] for entry in s3.list_buckets()["Buckets"]):
        if "tfstate" not in bucket:
            continue
        for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            body = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
            states += 1
            assert not found_in(body, secrets), version["Key"]
    assert states


def test_not_in_process_lists(dev, secrets):
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        assert not found_in(line, secrets), path.read_bytes()[:80]


@pytest.mark.parametrize("role", ["nifi", "airflow"])
def test_not_in_the_hosts_journal(role, dev, secrets):
    address = dev.nodes(role)[0]["private_ip"]
    journal = dev.ssh(
        address,
        "journalctl --no-pager --output cat; cat /var/log/cloud-init-output.log; "
        f"find /var/log/{role} -name '*.log' -exec cat '{{}}' +",
    ).encode()
    assert len(journal) > 1000
    assert not found_in(journal, secrets)


def test_not_in_airflows_configuration(dev, secrets):
    """Airflow reads its secrets from Secrets Manager; its files and units only name them."""
    address = dev.nodes("airflow")[0]["private_ip"]
    # (by name, since a pattern also means units that others only mention)
    units = "systemctl cat $(systemctl list-unit-files --no-legend 'airflow-*' | cut -d' ' -f1)"
    files = dev.ssh(address, f"find /etc/airflow -type f -exec cat '{{}}' +; {units}").encode()
    assert b"airflow-api-server.service" in files
    assert b"SECRET" in files
    assert not found_in(files, secrets)


def test_files_with_secrets_are_closed_to_others(dev):
    address = dev.status()["nifi"]["nodes"][0]["private_ip"]
    listing = dev.ssh(
        address,
        "find /etc/dataplatform /opt/nifi/current/conf /etc/nifi -type f "
        r"\( -name '*.p12' -o -name '*.pem' -o -name '*password*' -o -name '*key*' -o -name nifi.properties \) "
        "-perm /o=r -printf '%p %m\\n' 2>/dev/null || true",
    )
    readable = [
        line for line in listing.splitlines() if not re.search(r"(ca|chain|certificate|trust\w*)[\w.-]* \d+$", line)
    ]
    assert readable == []
