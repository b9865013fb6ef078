# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keys, signing requests, certificates, PKCS#12 and revocation lists: what needs no network.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible; runs on cryptography 42
and newer (Debian 13 has 43).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import typing as t
from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import pkcs12 as _pkcs12

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

if t.TYPE_CHECKING:
    PrivateKey = t.Union["ec.EllipticCurvePrivateKey", "rsa.RSAPrivateKey"]
    Key = t.Union[PrivateKey, bytes]

KEY_TYPES = ("ec-p256", "rsa-2048", "rsa-3072", "rsa-4096")
# Letters and digits that nobody confuses when typing a password off a screen: 31 of them, 4.95 bits each.
EASY_CHARACTERS = "abcdefghjkmnpqrstuvwxyz23456789"
PASSWORD_GROUPS, PASSWORD_GROUP = 5, 5  # 25 characters, 123 bits


class PkiError(ValueError):
    """A key, request, certificate or list that cannot be used. The message says what to do."""


def new_key(kind: str = "ec-p256") -> PrivateKey:
    """A new private key: one of KEY_TYPES."""
    if kind == "ec-p256":
        return ec.generate_private_key(ec.SECP256R1())
    if kind in KEY_TYPES:
        return rsa.generate_private_key(65537, int(kind.split("-")[1]))
    raise PkiError(f"key type {kind!r} is not known; choose one of {', '.join(KEY_TYPES)}")


def key_pem(key: PrivateKey) -> bytes:
    """The key as unencrypted PKCS#8 PEM. Write it with _files.write only."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_key(pem: bytes) -> PrivateKey:
    """The unencrypted PEM key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        # The parser's own text could quote the input: say nothing of it.
        raise PkiError("not an unencrypted private key in PEM") from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise PkiError(f"{type(key).__name__} is not supported; use EC or RSA")
    return key


def _key(key: Key) -> PrivateKey:
    return load_key(key) if isinstance(key, bytes) else key


def name(subject: _dn.Subject) -> x509.Name:
    """The X.509 name of a subject that passes the subject policy; its DER order is O, OU, CN."""
    dn = _dn.check_subject(subject)
    return x509.Name(
        [
            x509.NameAttribute(x509.ObjectIdentifier(_dn.SHORT_NAMES[kind]), value)
            for rdn in reversed(dn.rdns)
            for kind, value in rdn
        ]
    )


def _general_name(san: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(san))
    except ValueError:
        return x509.DNSName(san)


def csr(subject: _dn.Subject, key: Key, sans: Iterable[str] = ()) -> bytes:
    """A PEM signing request, signed with the key.

    :param subject: a DN, or a mapping of common_name, organizational_unit and organization
    :param key: a key object, or unencrypted PEM
    :param sans: DNS names and IP addresses for subjectAltName
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(subject))
    names = [_general_name(san) for san in sans]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(_key(key), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def load_csr(pem: str | bytes) -> x509.CertificateSigningRequest:
    """The PEM signing request; its own signature is checked."""
    try:
        request = x509.load_pem_x509_csr(pem.encode() if isinstance(pem, str) else pem)
        valid = request.is_signature_valid
    except (ValueError, TypeError, InvalidSignature) as error:
        raise PkiError(f"not a certificate signing request in PEM: {error}") from error
    if not valid:
        raise PkiError("the signing request is not signed with its own key; make it again")
    return request


def check_user_csr(pem: str | bytes, subject: _dn.Subject) -> x509.CertificateSigningRequest:
    """A request made by a user: subject as reviewed, strong key, no alternative names.

    The CA copies subject and subjectAltName of the request into the certificate (AWS Private CA, "Understanding
    certificate templates"), so both are compared here.
    """
    request = load_csr(pem)
    reviewed, asked = _dn.check_subject(subject), _dn.from_certificate(request)
    if reviewed != asked:
        raise PkiError(
            f"the signing request is for {asked}, the reviewed subject is {reviewed}; make the request with "
            f"-subj '{openssl_subject(reviewed)}'"
        )
    if any(isinstance(extension.value, x509.SubjectAlternativeName) for extension in request.extensions):
        raise PkiError("the signing request asks for a subjectAltName; make it again without one")
    check_public_key(request.public_key())
    return request


def openssl_subject(dn: _dn.DN) -> str:
    """The argument of ``openssl req -subj`` for a name: DER order, separated by slashes."""
    return "".join(f"/{kind}={value}" for rdn in reversed(dn.rdns) for kind, value in rdn)


def check_public_key(key: t.Any) -> None:
    """Refuse weak or unusual keys: EC P-256 or P-384, or RSA of 2048 to 4096 bits."""
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1"):
        return
    if isinstance(key, rsa.RSAPublicKey) and 2048 <= key.key_size <= 4096:
        return
    kind = getattr(getattr(key, "curve", None), "name", None) or f"{type(key).__name__} {getattr(key, 'key_size', '')}"
    raise PkiError(f"key {kind.strip()} is not allowed; use EC P-256 or P-384, or RSA of 2048 to 4096 bits")


def load_certificate(pem: str | bytes) -> x509.Certificate:
    """The first certificate of a PEM text."""
    return load_chain(pem)[0]


def load_chain(pem: str | bytes) -> list[x509.Certificate]:
    """All certificates of a PEM text, at least one."""
    try:
        return x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem)
    except ValueError as error:
        raise PkiError(f"not a certificate in PEM: {error}") from error


def certificate_pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM text that ends with a line break."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def join_pem(*parts: str | bytes) -> str:
    """One PEM bundle of several PEM texts, each certificate once, in the order given."""
    found: dict[bytes, str] = {}
    for part in parts:
        for certificate in load_chain(part):
            found.setdefault(certificate.fingerprint(hashes.SHA256()), certificate_pem(certificate))
    return "".join(found.values())


def serial_hex(certificate: x509.Certificate | int) -> str:
    """The serial number as lower-case hex without leading zeros or colons, as the registry and the edges write it."""
    return f"{certificate if isinstance(certificate, int) else certificate.serial_number:x}"


def serial_colons(serial: str) -> str:
    """The serial number as AWS Private CA wants it for a revocation: pairs of hex digits joined by colons."""
    digits = serial.replace(":", "").lower()
    digits = digits.rjust(len(digits) + len(digits) % 2, "0")
    return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))


def normal_serial(text: str) -> str:
    """A serial in hexadecimal as serial_hex writes it; colons and leading zeros are taken away.

    :raises PkiError: not hexadecimal
    """
    try:
        return serial_hex(int(text.replace(":", ""), 16))
    except ValueError as error:
        raise PkiError(f"{text!r} is not a serial number in hexadecimal") from error


def alternative_names(source: x509.Certificate | x509.CertificateSigningRequest) -> frozenset[t.Any]:
    """The general names of subjectAltName; empty without the extension."""
    try:
        return frozenset(source.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return frozenset()


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the CA signed the certificate."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def spki_sha256(source: t.Any) -> str:
    """SHA-256 (hex) of the public key of a key, certificate or request: which key something belongs to."""
    key = source.public_key() if hasattr(source, "public_key") else source
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def rfc3339(moment: dt.datetime) -> str:
    """UTC, whole seconds, with Z."""
    return moment.astimezone(dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> dt.datetime:
    """The inverse of rfc3339."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc)


def now() -> dt.datetime:
    """The current time, aware, in UTC."""
    return dt.datetime.now(dt.timezone.utc)


def describe(certificate: x509.Certificate) -> dict[str, t.Any]:
    """The public facts of a certificate, for results and registry: subject, issuer, serial, not_before, not_after."""
    digest = certificate.fingerprint(hashes.SHA256()).hex()
    dn = _dn.from_certificate(certificate)
    return {
        "dn": dn.rfc4514(),
        "subject": dn.attributes,
        "issuer": _dn.from_name(certificate.issuer).rfc4514(),
        "serial": serial_hex(certificate),
        "not_before": rfc3339(certificate.not_valid_before_utc),
        "not_after": rfc3339(certificate.not_valid_after_utc),
        "fingerprint_sha256": digest,
    }


def random_password() -> str:
    """A password for a PKCS#12 file: groups of letters and digits, 123 bits, easy to type."""
    return "-".join(
        "".join(secrets.choice(EASY_CHARACTERS) for index in range(PASSWORD_GROUP)) for group in range(PASSWORD_GROUPS)
    )


def pkcs12(
    key: Key, certificate: x509.Certificate, chain: Sequence[x509.Certificate], password: str, friendly_name: str
) -> bytes:
    """A PKCS#12 file: key, certificate and the CA certificates above it.

    AES-256-CBC by PBES2 and HMAC-SHA-256 (RFC 7292 with RFC 8018): read by Java 8u301 and newer, OpenSSL, NSS (Firefox,
    and Chromium on Linux), Windows 10 1709 and newer, and macOS 15 and newer.
    """
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(20000)
        .key_cert_algorithm(_pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password.encode())
    )
    return _pkcs12.serialize_key_and_certificates(
        friendly_name.encode(), _key(key), certificate, list(chain) or None, encryption
    )


def load_pkcs12(data: bytes, password: str) -> tuple[PrivateKey, x509.Certificate, list[x509.Certificate]]:
    """Key, certificate and further certificates of a PKCS#12 file."""
    try:
        key, certificate, others = _pkcs12.load_key_and_certificates(data, password.encode())
    except ValueError as error:
        raise PkiError("not a PKCS#12 file, or not its password") from error
    if key is None or certificate is None:
        raise PkiError("the PKCS#12 file holds no key with a certificate")
    return t.cast("PrivateKey", key), certificate, list(others)


def load_crl(data: bytes) -> x509.CertificateRevocationList:
    """A revocation list in DER or PEM."""
    try:
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_crl(data)
        return x509.load_der_x509_crl(data)
    except ValueError as error:
        raise PkiError(f"not a certificate revocation list: {error}") from error


def crl_pem(crl: x509.CertificateRevocationList) -> bytes:
    """The revocation list as PEM, the form that an ALB trust store takes."""
    return crl.public_bytes(serialization.Encoding.PEM)


def crl_serials(crl: x509.CertificateRevocationList) -> dict[str, dt.datetime]:
    """Revoked serials (see serial_hex) → when they were revoked."""
    return {serial_hex(entry.serial_number): entry.revocation_date_utc for entry in crl}


def signed_by(crl: x509.CertificateRevocationList, authorities: Iterable[x509.Certificate]) -> bool:
    """Whether one of the CA certificates signed the list."""
    for authority in authorities:
        if authority.subject == crl.issuer and crl.is_signature_valid(t.cast("t.Any", authority.public_key())):
            return True
    return False


def subject_mapping(dn: _dn.DN) -> Mapping[str, str]:
    """common_name, organizational_unit and organization of a name that passes the subject policy."""
    attributes = _dn.check_subject(dn).attributes
    return {key: attributes[key] for key in _dn.SUBJECT_KEYS}
