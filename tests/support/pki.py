"""A throwaway certificate authority for tests."""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

KINDS = {"O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "CN": NameOID.COMMON_NAME}


def name(**parts: str) -> x509.Name:
    """``name(O="Platform", OU="DataEng", CN="alice")`` in the order given."""
    return x509.Name([x509.NameAttribute(KINDS[kind], value) for kind, value in parts.items()])


@dataclass(frozen=True)
class Issued:
    certificate: x509.Certificate
    certificate_pem: bytes
    key_pem: bytes

    def write(self, path: Path) -> Path:
        """Certificate and key in one PEM file, readable by its owner only."""
        path.touch(mode=0o600)
        path.write_bytes(self.certificate_pem + self.key_pem)
        return path


class Authority:
    def __init__(self, common_name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = name(CN=common_name)
        self.certificate = self._sign(self.subject, self.key.public_key(), dt.timedelta(days=1), ca=True)
        self.pem = self.certificate.public_bytes(Encoding.PEM)

    def issue(self, subject: x509.Name, *names: str, lifetime: dt.timedelta = dt.timedelta(hours=1)) -> Issued:
        """A leaf for ``subject``; ``names`` are its subject alternative names (DNS names or addresses)."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(subject, key.public_key(), lifetime, names=names)
        key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Issued(certificate, certificate.public_bytes(Encoding.PEM), key_pem)

    def _sign(self, subject, public_key, lifetime, *, ca=False, names=()) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.subject)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + lifetime)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if ca:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
