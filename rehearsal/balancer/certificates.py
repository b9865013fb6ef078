"""The web CA of the rehearsal and the certificates its load balancers show.

On AWS the listener's certificate comes from ACM and a public CA. Here a CA made for this checkout signs it; its key
never leaves `.cache/rehearsal/web-ca/` (0600). It signs servers only, and is not the users' CA.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rehearsal.balancer.account import Session
from rehearsal.balancer.model import Certificate

CA_DAYS = 3650
DAYS = 90
RENEW_DAYS = 30
SERVICES = ("nifi", "airflow", "ingest")


def ca_path(folder: Path) -> Path:
    """The web CA's certificate, made when it is missing. `folder` is .cache/rehearsal/web-ca."""
    path = folder / "ca.pem"
    if path.exists() and _days_left(x509.load_pem_x509_certificate(path.read_bytes())) > DAYS:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Data platform rehearsal"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Rehearsal web CA"),
        ]
    )
    builder = _builder(name, name, key.public_key(), CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(ca=True), critical=True)
    # whoever trusts this CA trusts it for names of a rehearsal only
    permitted = [x509.DNSName("rehearsal.localhost")]
    builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    _write(folder / "ca.key", _key_pem(key))
    _write(path, certificate.public_bytes(Encoding.PEM), 0o644)
    return path


def listener_certificate(session: Session, folder: Path, domain: str) -> str:
    """ARN of the ACM certificate for `domain`'s services, imported or renewed in place when it has to be.

    Found again by its domain name and tag, so that an account keeps one ARN for life.
    """
    acm = session.client("acm")
    ca = x509.load_pem_x509_certificate(ca_path(folder).read_bytes())
    names = [f"{service}.{domain}" for service in SERVICES]
    arn = _imported(acm, names[0])
    if arn:
        current = x509.load_pem_x509_certificate(acm.get_certificate(CertificateArn=arn)["Certificate"].encode())
        known = key_of(folder, current) is not None
        if known and _days_left(current) > RENEW_DAYS and _names(current) == names and current.issuer == ca.subject:
            return arn
    key_pem, certificate_pem = _issue(folder, ca, names)
    again: dict[str, Any] = {"CertificateArn": arn} if arn else {"Tags": [{"Key": "Rehearsal", "Value": domain}]}
    imported = acm.import_certificate(
        Certificate=certificate_pem,
        PrivateKey=key_pem,
        CertificateChain=ca.public_bytes(Encoding.PEM),
        **again,
    )
    return str(imported["CertificateArn"])


def servable(arn: str, pem: str, folder: Path) -> Certificate | None:
    """An ACM certificate with its key, None when the key is not one of ours (ACM hands out no keys)."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = key_of(folder, certificate)
    if key is None:
        return None
    return Certificate(
        arn=arn,
        serial=f"{certificate.serial_number:X}",
        names=tuple(_names(certificate)),
        pem=key.read_text() + pem,
    )


def key_of(folder: Path, certificate: x509.Certificate) -> Path | None:
    """The key file that belongs to `certificate`, if it was made here."""
    path = folder / "keys" / f"{_fingerprint(certificate.public_key())}.key"
    return path if path.exists() else None


def _imported(acm: Any, name: str) -> str | None:
    for page in acm.get_paginator("list_certificates").paginate():
        for item in page["CertificateSummaryList"]:
            if item.get("DomainName") == name:
                tags = acm.list_tags_for_certificate(CertificateArn=item["CertificateArn"])["Tags"]
                if any(tag["Key"] == "Rehearsal" for tag in tags):
                    return str(item["CertificateArn"])
    return None


def _issue(folder: Path, ca: x509.Certificate, names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new key and certificate for `names`, the first of them as common name."""
    ca_key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(ca_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = _builder(subject, ca.subject, key.public_key(), DAYS)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(ca=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False),
    ]
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(ca_key, hashes.SHA256())
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    _write(folder / "keys" / f"{_fingerprint(key.public_key())}.key", _key_pem(key))
    return _key_pem(key), certificate.public_bytes(Encoding.PEM)


def _builder(subject: x509.Name, issuer: x509.Name, public_key: Any, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name) for name in extension.value.get_values_for_type(x509.DNSName)]


def _days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def _fingerprint(public_key: Any) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()[:32]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write atomically with `mode` from the first byte on."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    temporary.replace(path)
