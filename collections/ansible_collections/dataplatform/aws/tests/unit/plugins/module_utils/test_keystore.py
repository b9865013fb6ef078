# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Truststores that Java trusts, and stores compared by what they hold."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _keystore, _pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

PASSWORD = "changeit"


def certificate(common_name: str, key=None) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = dt.datetime.now(dt.timezone.utc)
    key = key or _pki.new_key()
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


@pytest.mark.parametrize("password", [PASSWORD, "pässwörd", "x" * 100], ids=["ascii", "unicode", "longer than a block"])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_truststore_holds_what_was_put_in(password: str, count: int) -> None:
    authorities = [certificate(f"CA {number}") for number in range(count)]
    data = _keystore.truststore(authorities, password)
    assert _keystore.truststore_certificates(data, password) == authorities


def test_order_does_not_matter_and_content_does() -> None:
    one, two = certificate("one"), certificate("two")
    data = _keystore.truststore([one, two], PASSWORD)
    assert _keystore.truststore_equal(data, PASSWORD, [two, one])
    assert not _keystore.truststore_equal(data, PASSWORD, [one])
    assert not _keystore.truststore_equal(data, "another", [one, two])
    assert not _keystore.truststore_equal(None, PASSWORD, [one, two])
    assert not _keystore.truststore_equal(b"garbage", PASSWORD, [one, two])


def test_a_changed_byte_is_noticed() -> None:
    data = bytearray(_keystore.truststore([certificate("one")], PASSWORD))
    data[len(data) // 2] ^= 1
    with pytest.raises(_keystore.KeystoreError):
        _keystore.truststore_certificates(bytes(data), PASSWORD)


def test_a_plain_pkcs12_is_no_truststore() -> None:
    """Java reads a PKCS#12 file with unmarked certificates as empty: it must be written anew."""
    one = certificate("one")
    data = pkcs12.serialize_key_and_certificates(None, None, None, [one], BestAvailableEncryption(PASSWORD.encode()))
    assert not _keystore.truststore_equal(data, PASSWORD, [one])


def test_an_empty_truststore_is_refused() -> None:
    with pytest.raises(_keystore.KeystoreError, match="at least one"):
        _keystore.truststore([], PASSWORD)


def test_java_trusts_every_certificate(tmp_path) -> None:
    keytool = shutil.which("keytool")
    if keytool is None:
        pytest.skip("no keytool")
    path = tmp_path / "truststore.p12"
    path.write_bytes(_keystore.truststore([certificate("one"), certificate("Zażółć")], PASSWORD))
    done = subprocess.run(
        [keytool, "-list", "-storetype", "PKCS12", "-keystore", path, "-storepass", PASSWORD],
        capture_output=True,
        check=False,
        text=True,
        env={"LANG": "C", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("trustedCertEntry") == 2


def test_keystore_is_compared_decoded() -> None:
    key, other_key, authority = _pki.new_key(), _pki.new_key(), certificate("CA")
    leaf = certificate("node", key)
    data = _pki.pkcs12(key, leaf, [authority], PASSWORD, "nifi")
    assert data != _pki.pkcs12(key, leaf, [authority], PASSWORD, "nifi")
    assert _keystore.keystore_equal(data, PASSWORD, key, leaf, [authority])
    assert not _keystore.keystore_equal(data, PASSWORD, other_key, leaf, [authority])
    assert not _keystore.keystore_equal(data, PASSWORD, key, certificate("node", key), [authority])
    assert not _keystore.keystore_equal(data, PASSWORD, key, leaf, [])
    assert not _keystore.keystore_equal(data, "another", key, leaf, [authority])
    assert not _keystore.keystore_equal(None, PASSWORD, key, leaf, [authority])
