# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""nifi_properties, nifi_keystore and nifi_truststore as Ansible runs them: arguments in, files and results out."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.dataplatform.aws.plugins.module_utils import _keystore, _pki
from ansible_collections.dataplatform.aws.plugins.modules import nifi_keystore, nifi_properties, nifi_truststore
from cryptography import x509
from cryptography.hazmat.primitives import hashes

SENTINEL = "s3nt1nel-never-shown"


@pytest.fixture
def run(capsys):
    """Run a module; returns its result. The sentinel secret must be nowhere in what it prints."""

    def run(module, check: bool = False, **arguments):
        given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": True}
        with patch_module_args(given), pytest.raises(SystemExit):
            module.main()
        printed = capsys.readouterr().out
        assert SENTINEL not in printed
        return json.loads(printed)

    return run


@pytest.fixture
def secret(tmp_path) -> str:
    path = tmp_path / "keystore.password"
    path.write_text(SENTINEL + "\n")
    return str(path)


@pytest.fixture
def properties(tmp_path) -> Path:
    path = tmp_path / "nifi.properties"
    path.write_text("# Core\nnifi.web.https.port=\nnifi.security.keystorePasswd=\nnifi.kept=yes\n")
    path.chmod(0o640)
    return path


def test_properties_are_set_once(run, properties, secret) -> None:
    arguments = {
        "path": str(properties),
        "properties": {"nifi.web.https.port": 8443, "nifi.security.autoreload.enabled": True, "nifi.kept": None},
        "secrets": {"nifi.security.keystorePasswd": secret},
    }
    foreseen = run(nifi_properties, check=True, **arguments)
    assert "8443" not in properties.read_text()
    result = run(nifi_properties, **arguments)
    assert result["changed"]
    names = ["nifi.kept", "nifi.security.autoreload.enabled", "nifi.security.keystorePasswd", "nifi.web.https.port"]
    assert result["changed_keys"] == foreseen["changed_keys"] == names
    assert "nifi.web.https.port=8443" in result["diff"][0]["after"]
    assert properties.read_text() == (
        f"# Core\nnifi.web.https.port=8443\nnifi.security.keystorePasswd={SENTINEL}\nnifi.security.autoreload.enabled=true\n"
    )
    assert properties.stat().st_mode & 0o777 == 0o640
    assert not run(nifi_properties, **arguments)["changed"]


def test_only_the_mode_changes(run, properties) -> None:
    result = run(nifi_properties, path=str(properties), mode="0600")
    assert (result["changed"], result["changed_keys"]) == (True, [])
    assert properties.stat().st_mode & 0o777 == 0o600


def test_a_changed_secret_changes_the_file(run, properties, secret) -> None:
    arguments = {"path": str(properties), "secrets": {"nifi.security.keystorePasswd": secret}}
    run(nifi_properties, **arguments)
    Path(secret).write_text(SENTINEL + "2\n")
    assert run(nifi_properties, check=True, **arguments)["changed_keys"] == ["nifi.security.keystorePasswd"]
    assert run(nifi_properties, **arguments)["changed"]


def test_before_the_first_installation_only_check_mode_goes_on(run, tmp_path) -> None:
    missing = {"c": str(tmp_path / "no-secret")}
    arguments = {"path": str(tmp_path / "none"), "properties": {"a": "b"}, "secrets": missing}
    assert run(nifi_properties, check=True, **arguments)["changed"]
    assert "install NiFi first" in run(nifi_properties, **arguments)["msg"]


def test_a_key_is_not_both_shown_and_secret(run, properties, secret) -> None:
    result = run(nifi_properties, path=str(properties), properties={"a": "b"}, secrets={"a": secret})
    assert result["failed"]
    assert "both" in result["msg"]


def certificate(common_name: str, key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now)
    return builder.not_valid_after(now + dt.timedelta(days=1)).sign(key, hashes.SHA256())


class Pems:
    """Files of a key, its certificate with the CA's behind it, and the CA's alone."""

    def __init__(self, folder: Path) -> None:
        self.key, self.node, self.ca = folder / "node.key", folder / "node.pem", folder / "ca.pem"
        self.renew()

    def renew(self) -> None:
        key, authority = _pki.new_key(), certificate("CA", _pki.new_key())
        self.key.write_bytes(_pki.key_pem(key))
        self.node.write_text(_pki.certificate_pem(certificate("node", key)) + _pki.certificate_pem(authority))
        self.ca.write_text(_pki.certificate_pem(authority))


@pytest.fixture
def pems(tmp_path) -> Pems:
    return Pems(tmp_path)


def keystore_arguments(tmp_path: Path, pems: Pems, secret: str) -> dict[str, str]:
    return {
        "path": str(tmp_path / "keystore.p12"),
        "key_path": str(pems.key),
        "certificate_path": str(pems.node),
        "password_path": secret,
        "mode": "0640",
    }


def test_keystore_is_written_once_and_again_when_renewed(run, tmp_path, pems, secret) -> None:
    path, arguments = tmp_path / "keystore.p12", keystore_arguments(tmp_path, pems, secret)
    assert run(nifi_keystore, check=True, **arguments)["changed"]
    assert not path.exists()
    result = run(nifi_keystore, **arguments)
    assert [one["dn"] for one in result["certificates"]] == ["CN=node", "CN=CA"]
    first = path.read_bytes()
    assert _pki.load_pkcs12(first, SENTINEL)[1] == _pki.load_certificate(pems.node.read_text())
    assert path.stat().st_mode & 0o777 == 0o640
    assert not run(nifi_keystore, **arguments)["changed"]
    assert path.read_bytes() == first
    pems.renew()
    result = run(nifi_keystore, **arguments)
    assert result["changed"]
    assert result["diff"]["before"]["certificates"] != result["diff"]["after"]["certificates"]


def test_keystore_refuses_a_key_of_another_certificate(run, tmp_path, pems, secret) -> None:
    pems.key.write_bytes(_pki.key_pem(_pki.new_key()))
    result = run(nifi_keystore, **keystore_arguments(tmp_path, pems, secret))
    assert "is not that of the certificate" in result["msg"]
    assert not (tmp_path / "keystore.p12").exists()


def test_truststore_is_written_once_and_repaired(run, tmp_path, pems) -> None:
    path = tmp_path / "truststore.p12"
    arguments = {"path": str(path), "certificates_path": str(pems.ca), "password": "changeit"}
    assert run(nifi_truststore, check=True, **arguments)["changed"]
    assert not path.exists()
    assert run(nifi_truststore, **arguments)["changed"]
    assert len(_keystore.truststore_certificates(path.read_bytes(), "changeit")) == 1
    assert not run(nifi_truststore, **arguments)["changed"]
    path.write_bytes(b"broken")
    assert run(nifi_truststore, **arguments)["changed"]
    assert not run(nifi_truststore, **arguments)["changed"]


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_truststore_refuses_what_is_no_certificate(run, tmp_path, content) -> None:
    result = run(nifi_truststore, path=str(tmp_path / "truststore.p12"), certificates=[content], password="changeit")
    assert "certificates[0]" in result["msg"]


def test_stores_refuse_links(run, tmp_path, pems) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    result = run(nifi_truststore, path=str(tmp_path / "link"), certificates_path=str(pems.ca), password="changeit")
    assert "symbolic link" in result["msg"]
    assert not (tmp_path / "elsewhere").exists()
