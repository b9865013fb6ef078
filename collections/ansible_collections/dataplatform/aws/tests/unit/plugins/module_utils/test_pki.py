"""Keys, requests, PKCS#12 and revocation lists."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ALICE = {"common_name": "alice", "organizational_unit": "DataEng", "organization": "Platform"}
NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def sign(subject_key: object, issuer: str, issuer_key: ec.EllipticCurvePrivateKey, cn: str) -> x509.Certificate:
    """A certificate for tests."""
    return (
        x509.CertificateBuilder()
        .subject_name(_pki.name({**ALICE, "common_name": cn}))
        .issuer_name(_pki.name({**ALICE, "common_name": issuer}))
        .public_key(subject_key.public_key())  # type: ignore[attr-defined]
        .serial_number(0x0ABC)
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(cn == issuer, None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def ca() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, sign(key, "users", key, "users")


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_requests_carry_the_subject_in_der_order(kind: str) -> None:
    key = _pki.new_key(kind)
    request = _pki.load_csr(_pki.csr(ALICE, _pki.key_pem(key), ["node.internal", "10.0.0.1"]))
    assert [attribute.rfc4514_attribute_name for attribute in request.subject] == ["O", "OU", "CN"]
    assert _dn.from_certificate(request).rfc4514() == "CN=alice,OU=DataEng,O=Platform"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["node.internal", "10.0.0.1"]
    assert _pki.spki_sha256(request) == _pki.spki_sha256(key)


def test_keys_of_other_kinds_are_refused() -> None:
    with pytest.raises(_pki.PkiError, match="choose one of ec-p256"):
        _pki.new_key("dsa")
    for key in (
        rsa.generate_private_key(65537, 1024).public_key(),
        ed25519.Ed25519PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP521R1()).public_key(),
    ):
        with pytest.raises(_pki.PkiError, match="use EC P-256"):
            _pki.check_public_key(key)


def test_a_users_request_must_be_the_reviewed_one() -> None:
    key = _pki.new_key()
    assert _pki.check_user_csr(_pki.csr(ALICE, key), ALICE)
    with pytest.raises(_pki.PkiError, match=re.escape("-subj '/O=Platform/OU=DataEng/CN=alice'")):
        _pki.check_user_csr(_pki.csr({**ALICE, "organizational_unit": "PlatformAdmins"}, key), ALICE)
    with pytest.raises(_pki.PkiError, match="subjectAltName"):
        _pki.check_user_csr(_pki.csr(ALICE, key, ["nifi.example.com"]), ALICE)
    reordered = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(list(reversed(list(_pki.name(ALICE))))))
    pem = reordered.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(_pki.PkiError, match="the signing request is for"):
        _pki.check_user_csr(pem, ALICE)
    with pytest.raises(_pki.PkiError, match="not a certificate signing request"):
        _pki.check_user_csr("hello", ALICE)


def test_a_tampered_request_is_refused() -> None:
    key = _pki.new_key()
    der = bytearray(_pki.load_csr(_pki.csr(ALICE, key)).public_bytes(serialization.Encoding.DER))
    at = der.index(b"alice")
    der[at : at + 5] = b"bobby"
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(_pki.PkiError, match="not signed with its own key"):
        _pki.load_csr(pem)


def test_serials_are_written_three_ways() -> None:
    assert _pki.serial_hex(0x0ABC) == "abc"
    assert _pki.serial_colons("abc") == "0a:bc"
    assert _pki.serial_colons("0A:BC") == "0a:bc"


def test_passwords_are_long_and_never_the_same() -> None:
    passwords = {_pki.random_password() for attempt in range(200)}
    assert len(passwords) == 200
    assert all(re.fullmatch(r"([a-z2-9]{5}-){4}[a-z2-9]{5}", password) for password in passwords)


@pytest.mark.parametrize("kind", ["ec-p256", "rsa-2048"])
def test_pkcs12_opens_everywhere_and_only_with_its_password(
    kind: str, ca: tuple[ec.EllipticCurvePrivateKey, x509.Certificate], tmp_path: Path
) -> None:
    key = _pki.new_key(kind)
    certificate = sign(key, "users", ca[0], "alice")
    password = _pki.random_password()
    data = _pki.pkcs12(key, certificate, [ca[1]], password, "alice (dev)")
    loaded_key, loaded, chain = _pki.load_pkcs12(data, password)
    assert _pki.spki_sha256(loaded_key) == _pki.spki_sha256(key)
    assert (loaded, chain) == (certificate, [ca[1]])
    with pytest.raises(_pki.PkiError, match="not its password"):
        _pki.load_pkcs12(data, "wrong")
    file, secret = tmp_path / "alice.p12", tmp_path / "password"
    file.write_bytes(data)
    secret.write_text(password)
    readers = {
        "keytool": ["-list", "-storetype", "PKCS12", "-keystore", str(file), "-storepass:file", str(secret)],
        "pk12util": ["-l", str(file), "-w", str(secret)],
        "openssl": ["pkcs12", "-in", str(file), "-passin", f"file:{secret}", "-nokeys"],
    }
    for tool, arguments in readers.items():
        if shutil.which(tool):
            result = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
            assert result.returncode == 0, f"{tool}: {result.stdout}{result.stderr}"
            assert "alice (dev)" in result.stdout


def test_a_bundle_holds_each_certificate_once(ca: tuple[ec.EllipticCurvePrivateKey, x509.Certificate]) -> None:
    other_key = _pki.new_key()
    other = _pki.certificate_pem(sign(other_key, "web", other_key, "web"))  # type: ignore[arg-type]
    users = _pki.certificate_pem(ca[1])
    bundle = _pki.join_pem(users, other + users, other.encode())
    assert bundle == users + other
    with pytest.raises(_pki.PkiError, match="not a certificate"):
        _pki.join_pem("nothing")


def test_revocation_lists_in_both_encodings(ca: tuple[ec.EllipticCurvePrivateKey, x509.Certificate]) -> None:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca[1].subject)
        .last_update(NOW)
        .next_update(NOW + dt.timedelta(days=7))
        .add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(0x0ABC).revocation_date(NOW).build())
    )
    crl = builder.sign(ca[0], hashes.SHA256())
    der = crl.public_bytes(serialization.Encoding.DER)
    assert _pki.crl_serials(_pki.load_crl(der)) == {"abc": NOW}
    assert _pki.load_crl(_pki.crl_pem(crl)) == crl
    assert _pki.signed_by(crl, [ca[1]])
    forged = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    assert not _pki.signed_by(forged, [ca[1]])
    with pytest.raises(_pki.PkiError):
        _pki.load_crl(b"not a list")


def test_times_round_trip() -> None:
    assert _pki.parse_rfc3339(_pki.rfc3339(NOW)) == NOW


def test_a_broken_key_is_not_quoted() -> None:
    first, *body, last = _pki.key_pem(_pki.new_key()).splitlines()
    sentinel = body[-1][:5]
    with pytest.raises(_pki.PkiError) as caught:
        _pki.load_key(b"\n".join([first, body[-1], last, b""]))
    assert sentinel.decode() not in str(caught.value)
    assert _pki.spki_sha256(_pki.load_key(_pki.key_pem(_pki.new_key())))
