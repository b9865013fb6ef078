"""How AWS Private CA turns a request into a certificate: templates, validity, what passes from API and CSR.

Sources: https://docs.aws.amazon.com/privateca/latest/userguide/UsingTemplates.html and
https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from dateutil.relativedelta import relativedelta

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "EC_prime256v1": ec.SECP256R1,
    "EC_secp384r1": ec.SECP384R1,
    "EC_secp521r1": ec.SECP521R1,
}
HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "SHA256": hashes.SHA256,
    "SHA384": hashes.SHA384,
    "SHA512": hashes.SHA512,
}
# The order in which AWS writes the attributes of an ASN1Subject into a name.
SUBJECT_ATTRIBUTES = {
    "Country": NameOID.COUNTRY_NAME,
    "Organization": NameOID.ORGANIZATION_NAME,
    "OrganizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "State": NameOID.STATE_OR_PROVINCE_NAME,
    "CommonName": NameOID.COMMON_NAME,
    "Locality": NameOID.LOCALITY_NAME,
    "SerialNumber": NameOID.SERIAL_NUMBER,
    "Title": NameOID.TITLE,
    "Surname": NameOID.SURNAME,
    "GivenName": NameOID.GIVEN_NAME,
    "Initials": NameOID.INITIALS,
    "Pseudonym": NameOID.PSEUDONYM,
    "GenerationQualifier": NameOID.GENERATION_QUALIFIER,
    "DistinguishedNameQualifier": NameOID.DN_QUALIFIER,
}
PURPOSES = {
    "EndEntityCertificate": (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    "EndEntityClientAuthCertificate": (ExtendedKeyUsageOID.CLIENT_AUTH,),
    "EndEntityServerAuthCertificate": (ExtendedKeyUsageOID.SERVER_AUTH,),
    "CodeSigningCertificate": (ExtendedKeyUsageOID.CODE_SIGNING,),
    "OCSPSigningCertificate": (ExtendedKeyUsageOID.OCSP_SIGNING,),
    "BlankEndEntityCertificate": (),
}
EXTENDED_KEY_USAGES = {
    "SERVER_AUTH": ExtendedKeyUsageOID.SERVER_AUTH,
    "CLIENT_AUTH": ExtendedKeyUsageOID.CLIENT_AUTH,
    "CODE_SIGNING": ExtendedKeyUsageOID.CODE_SIGNING,
    "EMAIL_PROTECTION": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "TIME_STAMPING": ExtendedKeyUsageOID.TIME_STAMPING,
    "OCSP_SIGNING": ExtendedKeyUsageOID.OCSP_SIGNING,
    "SMART_CARD_LOGIN": ExtendedKeyUsageOID.SMARTCARD_LOGON,
}
_TEMPLATE = re.compile(
    r"arn:aws:acm-pca:::template/(?P<base>\w+?Certificate)(_PathLen(?P<path>[0-3]))?(_CriticalBasicConstraints)?"
    r"(_(?P<through>API|CSR|APICSR)Passthrough)?/V1"
)
# The start of a certificate lies an hour back unless ValidityNotBefore says otherwise.
_BACKDATED = timedelta(minutes=60)


class RequestError(ValueError):
    """A request that AWS Private CA refuses; `code` is the name of its exception."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Template:
    """What a template ARN stands for."""

    base: str
    path_length: int | None = None
    api: bool = False
    csr: bool = False

    @property
    def is_root(self) -> bool:
        return self.base == "RootCACertificate"

    @property
    def is_ca(self) -> bool:
        return self.is_root or self.base == "SubordinateCACertificate"

    @property
    def is_blank(self) -> bool:
        return self.base == "BlankEndEntityCertificate"


def template(arn: str | None) -> Template:
    """Read a template ARN; none means EndEntityCertificate/V1. Raises RequestError for an unknown one."""
    found = _TEMPLATE.fullmatch(arn or "arn:aws:acm-pca:::template/EndEntityCertificate/V1")
    if not found or found["base"] not in {*PURPOSES, "RootCACertificate", "SubordinateCACertificate"}:
        raise RequestError("InvalidArgsException", f"There is no certificate template {arn}")
    through = found["through"] or ""
    path = int(found["path"]) if found["path"] else None
    return Template(found["base"], path, api=through.startswith("API"), csr=through.endswith("CSR"))


def new_key(algorithm: str) -> PrivateKey:
    """A private key for a KeyAlgorithm such as RSA_4096 or EC_prime256v1."""
    if algorithm in CURVES:
        return ec.generate_private_key(CURVES[algorithm]())
    if algorithm in {"RSA_2048", "RSA_3072", "RSA_4096"}:
        return rsa.generate_private_key(public_exponent=65537, key_size=int(algorithm.removeprefix("RSA_")))
    raise RequestError("ValidationException", f"KeyAlgorithm {algorithm} is not supported")


def hash_for(signing_algorithm: str, key: PrivateKey) -> Any:
    """The hash of a SigningAlgorithm such as SHA256WITHECDSA, which must fit the CA's key."""
    digest, _, kind = signing_algorithm.partition("WITH")
    wanted = "ECDSA" if isinstance(key, ec.EllipticCurvePrivateKey) else "RSA"
    if digest not in HASHES or kind != wanted:
        raise RequestError(
            "ValidationException", f"SigningAlgorithm {signing_algorithm} does not fit the CA's {wanted} key"
        )
    return HASHES[digest]()


def subject_name(subject: dict[str, Any]) -> x509.Name:
    """An ASN1Subject as a name."""
    return x509.Name([x509.NameAttribute(oid, subject[k]) for k, oid in SUBJECT_ATTRIBUTES.items() if subject.get(k)])


def moment(validity: dict[str, Any], now: datetime) -> datetime:
    """The point in time that a Validity names; DAYS, MONTHS and YEARS count from `now`.

    Source: https://docs.aws.amazon.com/privateca/latest/APIReference/API_Validity.html
    """
    kind, value = validity["Type"], int(validity["Value"])
    if kind == "ABSOLUTE":
        return datetime.fromtimestamp(value, UTC)
    if kind == "END_DATE":
        digits = str(value)
        form = "%Y%m%d%H%M%S" if len(digits) == 14 else "%y%m%d%H%M%S"
        return datetime.strptime(digits.zfill(12), form).replace(tzinfo=UTC)
    if kind in {"DAYS", "MONTHS", "YEARS"}:
        return now + relativedelta(**{kind.lower(): value})  # type: ignore[arg-type]
    raise RequestError("ValidationException", f"Validity type {kind} is not one of END_DATE ABSOLUTE DAYS MONTHS YEARS")


@dataclass(frozen=True)
class Issuer:
    """What issuing needs to know about a CA. `certificate` is None while it signs its own."""

    name: x509.Name
    key: PrivateKey
    certificate: x509.Certificate | None
    crl_url: str | None
    signing_algorithm: str
    short_lived: bool


def issue(issuer: Issuer, request: dict[str, Any], csr: x509.CertificateSigningRequest) -> x509.Certificate:
    """Sign the certificate that an IssueCertificate request asks for. Raises RequestError where AWS refuses."""
    chosen = template(request.get("TemplateArn"))
    passed = request.get("ApiPassthrough") or {}
    if passed and not chosen.api:
        raise RequestError("InvalidArgsException", "ApiPassthrough needs a template that allows API passthrough")
    now = datetime.now(UTC).replace(microsecond=0)
    begin = moment(request["ValidityNotBefore"], now) if request.get("ValidityNotBefore") else now - _BACKDATED
    end = moment(request["Validity"], now)
    _check_validity(issuer, chosen, now, begin, end)
    subject = subject_name(passed["Subject"]) if passed.get("Subject") else csr.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number() >> 32)
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension, critical in _extensions(issuer, chosen, passed.get("Extensions") or {}, csr):
        builder = builder.add_extension(extension, critical)
    algorithm = request.get("SigningAlgorithm") or issuer.signing_algorithm
    return builder.sign(issuer.key, hash_for(algorithm, issuer.key))


def _check_validity(issuer: Issuer, chosen: Template, now: datetime, begin: datetime, end: datetime) -> None:
    if end <= now or end <= begin:
        raise RequestError("ValidationException", "The certificate would end before it begins")
    if chosen.is_root:
        return
    if issuer.certificate is not None and end > issuer.certificate.not_valid_after_utc:
        raise RequestError(
            "ValidationException", "The certificate validity specified exceeds the certificate authority validity"
        )
    if issuer.short_lived and end - now > timedelta(days=7):
        raise RequestError(
            "ValidationException",
            "A CA in SHORT_LIVED_CERTIFICATE mode issues certificates with a validity of at most 7 days",
        )


def _extensions(
    issuer: Issuer, chosen: Template, passed: dict[str, Any], csr: x509.CertificateSigningRequest
) -> list[tuple[x509.ExtensionType, bool]]:
    """Extensions in AWS's order of precedence: template, API passthrough, CSR."""
    found: dict[x509.ObjectIdentifier, tuple[x509.ExtensionType, bool]] = {}

    def add(extension: x509.ExtensionType, critical: bool) -> None:
        found.setdefault(extension.oid, (extension, critical))

    add(x509.BasicConstraints(chosen.is_ca, chosen.path_length), True)
    add(x509.SubjectKeyIdentifier.from_public_key(csr.public_key()), False)
    if not chosen.is_root:
        add(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), False)
        if issuer.crl_url:
            point = x509.DistributionPoint([x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None)
            add(x509.CRLDistributionPoints([point]), False)
    if not chosen.is_blank:
        add(_key_usage(chosen), True)
        purposes = PURPOSES.get(chosen.base, ())
        if purposes:
            add(x509.ExtendedKeyUsage(purposes), chosen.base == "OCSPSigningCertificate")
    for extension in passed_extensions(passed):
        add(extension, isinstance(extension, x509.KeyUsage))
    # Base templates take the alternative names of the CSR; with CSR passthrough, the rest of it too.
    for asked in csr.extensions:
        if chosen.csr or isinstance(asked.value, x509.SubjectAlternativeName):
            add(asked.value, asked.critical)
    return list(found.values())


def passed_extensions(passed: dict[str, Any]) -> list[x509.ExtensionType]:
    """The extensions of an ApiPassthrough: SubjectAlternativeNames (DNS, mail, URI), ExtendedKeyUsage, KeyUsage."""
    extensions: list[x509.ExtensionType] = []
    names: list[x509.GeneralName] = []
    for name in passed.get("SubjectAlternativeNames") or []:
        if "DnsName" in name:
            names.append(x509.DNSName(name["DnsName"]))
        elif "Rfc822Name" in name:
            names.append(x509.RFC822Name(name["Rfc822Name"]))
        elif "UniformResourceIdentifier" in name:
            names.append(x509.UniformResourceIdentifier(name["UniformResourceIdentifier"]))
        else:
            raise RequestError("InvalidArgsException", f"This emulation does not know the alternative name {name}")
    if names:
        extensions.append(x509.SubjectAlternativeName(names))
    purposes = [EXTENDED_KEY_USAGES[p["ExtendedKeyUsageType"]] for p in passed.get("ExtendedKeyUsage") or []]
    if purposes:
        extensions.append(x509.ExtendedKeyUsage(purposes))
    usage = passed.get("KeyUsage")
    if usage:
        extensions.append(_usage({k for k, on in usage.items() if on}))
    return extensions


def _key_usage(chosen: Template) -> x509.KeyUsage:
    if chosen.is_ca:
        return _usage({"DigitalSignature", "KeyCertSign", "CRLSign"})
    if chosen.base in {"CodeSigningCertificate", "OCSPSigningCertificate"}:
        return _usage({"DigitalSignature"})
    return _usage({"DigitalSignature", "KeyEncipherment"})


def _usage(on: set[str]) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature="DigitalSignature" in on,
        content_commitment="NonRepudiation" in on,
        key_encipherment="KeyEncipherment" in on,
        data_encipherment="DataEncipherment" in on,
        key_agreement="KeyAgreement" in on,
        key_cert_sign="KeyCertSign" in on,
        crl_sign="CRLSign" in on,
        encipher_only="EncipherOnly" in on,
        decipher_only="DecipherOnly" in on,
    )
