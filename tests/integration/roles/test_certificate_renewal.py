"""The program that renews a host's certificates, against the emulated private CA."""

from __future__ import annotations

import datetime as dt
import importlib.machinery
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

ROOT = Path(__file__).parents[3]
COLLECTION = ROOT / "collections/ansible_collections/dataplatform/aws"
PROGRAM = COLLECTION / "roles/nifi/files/dataplatform-renew-certificates"
SEED = COLLECTION / "extensions/molecule/resources/seed.py"
NODE = "CN=ip-10-20-1-5.eu-central-1.compute.internal,OU=Platform-Nodes,O=Platform"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    command = [sys.executable, "-m", "rehearsal.aws.server", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://\S+", line)
            assert found, line
            yield found[0]
        finally:
            process.terminate()


@dataclass
class Host:
    """A host's folders and its configuration of the program."""

    folder: Path
    configuration: dict[str, Any]
    module: Any

    def run(self, *arguments: str) -> dict[str, Any]:
        path = self.folder / "certificates.json"
        path.write_text(json.dumps(self.configuration))
        monkeypatch = pytest.MonkeyPatch()
        monkeypatch.setattr(sys, "argv", ["renew", "--config", str(path), *arguments])
        lines: list[str] = []
        monkeypatch.setattr(self.module, "print", lambda text, **_: lines.append(text), raising=False)
        try:
            status = self.module.main()
        finally:
            monkeypatch.undo()
        return json.loads(lines[0]) if status == 0 else {"failed": lines[0]}

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def platform(endpoint: str) -> Iterator[dict[str, Any]]:
    """Two CAs, a key and a bucket in an emulated account, with the environment that reaches it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "renewal")
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "eu-central-1")
        patch.syspath_prepend(str(ROOT / "collections"))
        command = [sys.executable, str(SEED), "/nifi.zip", "sha256:0"]
        seeded = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
        yield json.loads(seeded.stdout)


@pytest.fixture
def host(platform: dict[str, Any], tmp_path: Path) -> Host:
    loader = importlib.machinery.SourceFileLoader("renew_certificates", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    group = module._files._name(module._files.grp.getgrgid, os.getegid())
    own = {"template": "EndEntityClientAuthCertificate/V1"}
    configuration = {
        "region": "eu-central-1",
        "authority": platform["pki"]["services_ca_arn"],
        "validity_days": 7,
        "authority_file": str(tmp_path / "ca.pem"),
        "state_dir": str(tmp_path),
        "truststore": {
            "path": str(tmp_path / "truststore.p12"),
            "password": "changeit",
            "group": group,
            "bucket": platform["buckets"]["certificates"],
            "key": "nifi/truststore.p12",
        },
        "secret": {
            "name": f"dataplatform/dev/nifi/{tmp_path.name}/keystore",
            "kms_key": platform["kms"]["data_key_arn"],
            "tags": {"Project": "data-platform", "Environment": "dev"},
        },
        "certificates": {
            "node": {
                "subject": NODE,
                "names": ["node.test", "localhost", "127.0.0.1"],
                "template": "EndEntityCertificate/V1",
                "keystore": str(tmp_path / "keystore.p12"),
                "password_file": str(tmp_path / "keystore.password"),
                "group": group,
            },
            "proxy": {
                **own,
                "subject": "CN=edge,OU=Platform-Proxies,O=Platform",
                "bundle": str(tmp_path / "proxy.pem"),
            },
            "automation": {
                **own,
                "subject": "CN=automation,OU=Platform-Automation,O=Platform",
                "certificate": str(tmp_path / "certificate.pem"),
                "key": str(tmp_path / "key.pem"),
                "authority_file": str(tmp_path / "automation-ca.pem"),
            },
        },
    }
    return Host(tmp_path, configuration, module)


def node_certificate(host: Host) -> x509.Certificate:
    password = (host.folder / "keystore.password").read_bytes()
    return pkcs12.load_pkcs12((host.folder / "keystore.p12").read_bytes(), password).cert.certificate


def test_a_new_host_gets_all_certificates_and_a_second_run_none(host):
    first = host.run()
    assert {name: one["reason"] for name, one in first["issued"].items()} == {
        "node": "missing",
        "proxy": "missing",
        "automation": "missing",
    }
    before = host.files()
    second = host.run()
    assert (second["changed"], second["issued"], second["published"]) == (False, {}, [])
    changed = {name for name, content in host.files().items() if content != before.get(name)}
    assert changed == {"certificates-result.json"}


def test_the_nodes_certificate_is_what_the_configuration_says(host):
    host.run()
    certificate = node_certificate(host)
    assert [part.value for part in certificate.subject] == ["Platform", "Platform-Nodes", NODE.split(",")[0][3:]]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {str(name.value) for name in names} == {"node.test", "localhost", "127.0.0.1"}
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 7


def test_private_files_are_private(host):
    host.run()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in host.folder.iterdir()}
    for name in ("keystore.password", "proxy.pem", "key.pem"):
        assert modes[name] == 0o600
    assert modes["keystore.p12"] == 0o640


def test_half_of_its_life_later_each_is_renewed_with_a_new_key(host, monkeypatch):
    first = host.run()
    old = node_certificate(host)
    half = old.not_valid_before_utc + (old.not_valid_after_utc - old.not_valid_before_utc) / 2
    half += dt.timedelta(minutes=1)  # the three were not issued in the same second
    monkeypatch.setattr(host.module._pki, "now", lambda: half)
    # The CA lives in the present: ask it for days from now, as it does.
    assert {one["reason"] for one in host.run("--check")["issued"].values()} == {"half of its life is over"}
    second = host.run()
    assert set(second["issued"]) == {"node", "proxy", "automation"}
    assert not set(second["serials"].values()) & set(first["serials"].values())
    assert node_certificate(host).public_key() != old.public_key()
    assert second["published"] == ["keystore"]


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("node", {"names": ["node.test", "localhost", "127.0.0.1", "10.20.1.6"]}, "names changed"),
        ("proxy", {"subject": "CN=edge,OU=Platform-Proxies,O=Example"}, "subject changed"),
    ],
)
def test_a_changed_configuration_renews_what_it_names(host, name, change, reason):
    host.run()
    host.configuration["certificates"][name] |= change
    assert {key: one["reason"] for key, one in host.run()["issued"].items()} == {name: reason}


def test_a_broken_file_is_made_anew(host):
    host.run()
    (host.folder / "proxy.pem").write_text("not a certificate")
    (host.folder / "key.pem").write_bytes(host.module._pki.key_pem(host.module._pki.new_key()))
    assert {key: one["reason"] for key, one in host.run()["issued"].items()} == {
        "proxy": "unreadable",
        "automation": "key does not match",
    }


def test_another_authority_renews_all_and_is_trusted(host, platform):
    host.run()
    host.configuration["authority"] = platform["pki"]["users_ca_arn"]
    result = host.run()
    assert {one["reason"] for one in result["issued"].values()} == {"authority changed"}
    assert "truststore" in result["published"]
    trusted = host.module._keystore.truststore_certificates((host.folder / "truststore.p12").read_bytes(), "changeit")
    assert node_certificate(host).issuer == trusted[0].subject


def test_the_secret_restores_the_keystore(host):
    host.run()
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=host.configuration["secret"]["name"])
    value = json.loads(secret["SecretString"])
    stored = pkcs12.load_pkcs12(host.module.base64.b64decode(value["keystore"]), value["password"].encode())
    assert stored.cert.certificate == node_certificate(host)


def denying_puts(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As AWS's policies do, which the emulated account does not ask, while no secret has the host's tag."""
    real = host.module._aws.call

    def call(client: Any, operation: str, **parameters: Any) -> Any:
        if operation == "put_secret_value":
            raise host.module._aws.AwsError("secretsmanager put_secret_value: denied", "AccessDeniedException")
        return real(client, operation, **parameters)

    monkeypatch.setattr(host.module._aws, "call", call)


def test_a_host_that_may_touch_its_own_secret_only_makes_it(host, monkeypatch):
    denying_puts(host, monkeypatch)
    assert host.run()["published"] == ["keystore", "truststore"]
    assert boto3.client("secretsmanager").get_secret_value(SecretId=host.configuration["secret"]["name"])


def test_another_hosts_secret_is_denied_and_not_said_to_exist(host, monkeypatch):
    boto3.client("secretsmanager").create_secret(Name=host.configuration["secret"]["name"], SecretString="theirs")
    denying_puts(host, monkeypatch)
    assert "put_secret_value: denied" in host.run()["failed"]


def test_a_publication_that_broke_is_made_up_for(host, monkeypatch):
    def broken(configuration: Any) -> None:
        raise host.module._aws.AwsError("secretsmanager put_secret_value: away")

    with monkeypatch.context() as patch:
        patch.setattr(host.module, "publish_keystore", broken)
        assert "away" in host.run()["failed"]
    assert node_certificate(host)
    result = host.run()
    assert (result["issued"], result["published"]) == ({}, ["keystore", "truststore"])


def test_nothing_private_is_printed(host):
    output = json.dumps(host.run())
    assert (host.folder / "keystore.password").read_text() not in output
    assert "PRIVATE" not in output


def test_without_the_ca_the_message_says_what_failed(host):
    arn = host.configuration["authority"]
    host.configuration["authority"] = arn[:-1] + ("1" if arn.endswith("0") else "0")
    assert "acm-pca" in host.run()["failed"]
