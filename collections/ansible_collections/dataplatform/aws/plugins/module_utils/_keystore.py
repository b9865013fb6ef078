# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Java keystores and truststores in PKCS#12 (RFC 7292): write, read and compare decoded.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible; runs on cryptography 42
and newer. ``serialize_java_truststore`` of cryptography came with 45.0.0 and Debian 13 has 43, so the little DER that a
truststore takes is written here, the same on every host.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import secrets
import typing as t
from collections.abc import Iterable, Sequence

from ansible_collections.dataplatform.aws.plugins.module_utils import _pki

with contextlib.suppress(ImportError):  # _pki.HAS_CRYPTOGRAPHY says so
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.serialization import pkcs12

if t.TYPE_CHECKING:
    from cryptography import x509

SEQUENCE, SET, INTEGER, OCTETS, NULL, OID, BMP_STRING, EXPLICIT_0 = 0x30, 0x31, 0x02, 0x04, 0x05, 0x06, 0x1E, 0xA0
PKCS7_DATA = "1.2.840.113549.1.7.1"
CERT_BAG = "1.2.840.113549.1.12.10.1.3"
X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
FRIENDLY_NAME = "1.2.840.113549.1.9.20"
# Oracle's attribute that makes a certificate a trusted one; without it Java reads the file as empty.
TRUSTED_KEY_USAGE = "2.16.840.1.113894.746875.1.1"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
SHA256 = "2.16.840.1.101.3.4.2.1"
MAC_ROUNDS = 10000  # what Java writes (keystore.pkcs12.macIterationCount in its java.security)
MAC_SALT = 20
MAC_KEY_ID = 3  # RFC 7292 appendix B.3


class KeystoreError(ValueError):
    """A store that cannot be read or made. The message holds no secret."""


def truststore(certificates: Sequence[x509.Certificate], password: str) -> bytes:
    """A PKCS#12 truststore that Java trusts the certificates of.

    The certificates are public, so they are not encrypted; an HMAC-SHA-256 over them is keyed with the password (read by
    Java 8u301, 11.0.12 and newer). Aliases are ``ca-0``, ``ca-1``, … in the order given.

    :raises KeystoreError: no certificates, since Java refuses an empty truststore only when a connection comes
    """
    if not certificates:
        raise KeystoreError("a truststore needs at least one certificate")
    bags = b"".join(_trusted_bag(one, f"ca-{index}") for index, one in enumerate(certificates))
    safe = _der(SEQUENCE, _data(_der(SEQUENCE, bags)))
    return _der(SEQUENCE, _integer(3), _data(safe), _mac_data(safe, password))


def truststore_certificates(data: bytes, password: str) -> list[x509.Certificate]:
    """The certificates that Java trusts by this truststore, as written by truststore().

    :raises KeystoreError: not such a file, not its password, or some of its certificates are not marked as trusted
    """
    try:
        found = pkcs12.load_pkcs12(data, password.encode())
    except ValueError as error:
        raise KeystoreError("not a PKCS#12 file, or not its password") from error
    certificates = [bag.certificate for bag in found.additional_certs]
    # The parser drops the mark. In a file of ours nothing is encrypted, so it can be counted.
    if found.key is not None or data.count(_oid(TRUSTED_KEY_USAGE)) != len(certificates):
        raise KeystoreError("not a truststore with plain, trusted certificates only")
    return certificates


def truststore_equal(data: bytes | None, password: str, certificates: Iterable[x509.Certificate]) -> bool:
    """Whether the truststore holds exactly these certificates, whatever their order, under this password."""
    if data is None:
        return False
    try:
        found = truststore_certificates(data, password)
    except KeystoreError:
        return False
    return fingerprints(found) == fingerprints(certificates)


def keystore_equal(
    data: bytes | None, password: str, key: t.Any, certificate: x509.Certificate, chain: Sequence[x509.Certificate]
) -> bool:
    """Whether the keystore holds this key and certificate, and these certificates above it, under this password."""
    if data is None:
        return False
    try:
        found_key, found, others = _pki.load_pkcs12(data, password)
    except _pki.PkiError:
        return False
    return (
        found == certificate
        and fingerprints(others) == fingerprints(chain)
        and _pki.spki_sha256(found_key) == _pki.spki_sha256(key)
    )


def fingerprints(certificates: Iterable[x509.Certificate]) -> set[str]:
    """SHA-256 fingerprints in hexadecimal."""
    return {one.fingerprint(hashes.SHA256()).hex() for one in certificates}


def _trusted_bag(certificate: x509.Certificate, alias: str) -> bytes:
    """SafeBag of RFC 7292 section 4.2.3 with the two attributes that Java looks for."""
    encoded = certificate.public_bytes(serialization.Encoding.DER)
    bag = _der(SEQUENCE, _oid(X509_CERTIFICATE), _der(EXPLICIT_0, _der(OCTETS, encoded)))
    attributes = sorted(
        (
            _attribute(FRIENDLY_NAME, _der(BMP_STRING, alias.encode("utf-16-be"))),
            _attribute(TRUSTED_KEY_USAGE, _oid(ANY_EXTENDED_KEY_USAGE)),
        )
    )
    return _der(SEQUENCE, _oid(CERT_BAG), _der(EXPLICIT_0, bag), _der(SET, *attributes))


def _attribute(kind: str, value: bytes) -> bytes:
    return _der(SEQUENCE, _oid(kind), _der(SET, value))


def _data(content: bytes) -> bytes:
    """ContentInfo of the type data (RFC 2315 section 7)."""
    return _der(SEQUENCE, _oid(PKCS7_DATA), _der(EXPLICIT_0, _der(OCTETS, content)))


def _mac_data(content: bytes, password: str) -> bytes:
    """MacData of RFC 7292 section 4 over the authenticated safe."""
    salt = secrets.token_bytes(MAC_SALT)
    key = _mac_key(password, salt, MAC_ROUNDS)
    digest = hmac.new(key, content, hashlib.sha256).digest()
    info = _der(SEQUENCE, _der(SEQUENCE, _oid(SHA256), _der(NULL)), _der(OCTETS, digest))
    return _der(SEQUENCE, info, _der(OCTETS, salt), _integer(MAC_ROUNDS))


def _mac_key(password: str, salt: bytes, rounds: int) -> bytes:
    """The key derivation of RFC 7292 appendix B.2 for one SHA-256 block (hence without its step 6, the next block)."""
    block = hashlib.sha256().block_size
    encoded = (password + "\0").encode("utf-16-be")
    digest = bytes([MAC_KEY_ID]) * block + _fill(salt, block) + _fill(encoded, block)
    for _round in range(rounds):
        digest = hashlib.sha256(digest).digest()
    return digest


def _fill(data: bytes, block: int) -> bytes:
    """The data, repeated up to the next whole number of blocks."""
    length = block * -(-len(data) // block)
    return (data * (length // len(data) + 1))[:length]


def _der(tag: int, *parts: bytes) -> bytes:
    """Tag, length and value (X.690 section 8.1, definite form)."""
    content = b"".join(parts)
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(value: int) -> bytes:
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(part) for part in dotted.split("."))
    content = b""
    for number in (first * 40 + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, 0x80 | (number & 0x7F))
        content += bytes(digits)
    return _der(OID, content)
