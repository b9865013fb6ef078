"""The web CA of the rehearsal and the certificates its load balancers show.

On AWS the listener's certificate comes from ACM and a public CA. Here a CA made for this checkout signs it; its key
never leaves `.cache/rehearsal/web-ca/` (0600). It signs servers only, and is not the users' CA.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rehearsal import authority
from rehearsal.balancer.account import Session
from rehearsal.balancer.model import Certificate

SERVICES = ("nifi", "airflow", "ingest")


def ca_path(folder: Path) -> Path:
    """The web CA's certificate, made when it is missing. `folder` is .cache/rehearsal/web-ca."""
    return authority.ca_path(folder, "Rehearsal web CA", "rehearsal.localhost")


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
        fresh = authority.days_left(current) > authority.RENEW_DAYS
        if known and fresh and authority.dns_names(current) == names and current.issuer == ca.subject:
            return arn
    key_pem, certificate_pem = _issue(folder, names)
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
        names=tuple(authority.dns_names(certificate)),
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


def _issue(folder: Path, names: Sequence[str]) -> tuple[bytes, bytes]:
    """A new key, kept in the folder, and its certificate for `names`."""
    key, certificate = authority.issue(folder, names)
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    authority.write(folder / "keys" / f"{_fingerprint(key.public_key())}.key", authority.key_pem(key))
    return authority.key_pem(key), certificate


def _fingerprint(public_key: Any) -> str:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()[:32]
