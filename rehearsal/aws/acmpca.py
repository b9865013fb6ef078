"""AWS Private CA: real keys, templates, validity, revocation lists in S3, permissions.

moto signs every certificate alike (RSA, 365 days) and writes no revocation list. Here a CA is what its configuration
says. Certificates and lists appear at once, where AWS takes seconds and about half an hour.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from moto.acmpca import models
from moto.acmpca.responses import ACMPCAResponse
from moto.core.exceptions import JsonRESTError

from rehearsal.aws import buckets, certificates
from rehearsal.aws.patching import adds, replaces, wraps_original

CA: Any = models.CertificateAuthority
PEM = serialization.Encoding.PEM
REASONS = {
    "UNSPECIFIED": x509.ReasonFlags.unspecified,
    "KEY_COMPROMISE": x509.ReasonFlags.key_compromise,
    "CERTIFICATE_AUTHORITY_COMPROMISE": x509.ReasonFlags.ca_compromise,
    "AFFILIATION_CHANGED": x509.ReasonFlags.affiliation_changed,
    "SUPERSEDED": x509.ReasonFlags.superseded,
    "CESSATION_OF_OPERATION": x509.ReasonFlags.cessation_of_operation,
    "PRIVILEGE_WITHDRAWN": x509.ReasonFlags.privilege_withdrawn,
    "A_A_COMPROMISE": x509.ReasonFlags.aa_compromise,
}
# A repeated request with the same token within five minutes gets the first answer.
_TOKEN_SECONDS = 300


def refuse(code: str, message: str) -> JsonRESTError:
    """The exception that moto turns into AWS's error answer."""
    return JsonRESTError(code, message)


@wraps_original(CA, "__init__")
def _ca_init(original: Callable[..., None], self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    algorithm = self.certificate_authority_configuration["KeyAlgorithm"]
    try:
        self.signing_key = certificates.new_key(algorithm)
    except certificates.RequestError as problem:
        raise refuse(problem.code, str(problem)) from problem
    self.usage_mode = "GENERAL_PURPOSE"
    self.permissions = {}
    self.tokens = {}
    self.crl_number = 0
    self.crl_renewed_at = None
    self.restorable_until = None
    self.own_csr = None


@replaces(CA, "set_revocation_configuration")
def _set_revocation_configuration(self: Any, configuration: dict[str, Any] | None) -> None:
    if configuration is None:
        return
    crl = configuration.get("CrlConfiguration") or {"Enabled": False}
    if crl.get("Enabled"):
        crl.setdefault("S3ObjectAcl", "PUBLIC_READ")
        _check_crl_bucket(self, crl)
    ocsp = configuration.get("OcspConfiguration") or {"Enabled": False}
    self.revocation_configuration = {"CrlConfiguration": crl, "OcspConfiguration": ocsp}


def _check_crl_bucket(ca: Any, crl: dict[str, Any]) -> None:
    """Refuse a bucket that Private CA may not write to, as AWS does before it accepts the configuration.

    Source: https://docs.aws.amazon.com/privateca/latest/userguide/crl-planning.html
    """
    name, acl = crl["S3BucketName"], crl["S3ObjectAcl"]
    if acl not in {"PUBLIC_READ", "BUCKET_OWNER_FULL_CONTROL"}:
        raise models.InvalidS3ObjectAclInCrlConfiguration(acl)
    problem = buckets.why_not_writable(ca.account_id, name, "acm-pca.amazonaws.com", "s3:PutObject")
    if not problem and acl == "PUBLIC_READ" and buckets.blocks_public_acls(ca.account_id, name):
        problem = f"the bucket {name} blocks public ACLs: set S3ObjectAcl to BUCKET_OWNER_FULL_CONTROL"
    if problem:
        raise refuse("ValidationException", f"Private CA cannot write revocation lists: {problem}")


CA.key = property(lambda self: self.signing_key)
CA.issuer = property(lambda self: certificates.subject_name(self.subject))


def _csr(self: Any) -> bytes:
    # Signed once: an EC signature differs each time, and whoever compares requests would see a change.
    if self.own_csr is None:
        self.own_csr = _sign_csr(self)
    return bytes(self.own_csr)


def _sign_csr(self: Any) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(self.issuer)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(self.signing_key, _hash(self)).public_bytes(PEM)


CA.csr = property(_csr)


def _hash(ca: Any) -> Any:
    return certificates.hash_for(ca.certificate_authority_configuration["SigningAlgorithm"], ca.signing_key)


def _crl_configuration(ca: Any) -> dict[str, Any] | None:
    crl = ca.revocation_configuration.get("CrlConfiguration") or {}
    return crl if crl.get("Enabled") else None


def crl_key(ca: Any) -> str:
    """Where Private CA puts a CA's list: crl/<id>.crl, below CustomPath if there is one."""
    path = (_crl_configuration(ca) or {}).get("CustomPath", "").strip("/")
    return f"{path}/crl/{ca.id}.crl" if path else f"crl/{ca.id}.crl"


def _crl_url(ca: Any) -> str | None:
    crl = _crl_configuration(ca)
    if not crl or (crl.get("CrlDistributionPointExtensionConfiguration") or {}).get("OmitExtension"):
        return None
    host = crl.get("CustomCname") or f"{crl['S3BucketName']}.s3.{ca.region_name}.amazonaws.com"
    return f"http://{host}/{crl_key(ca)}"


def write_crl(ca: Any) -> None:
    """Sign the CA's revocation list and put it into its bucket (DER), if the CA has lists and is active."""
    crl = _crl_configuration(ca)
    if not crl or ca.status != "ACTIVE":
        return
    now = datetime.now(UTC).replace(microsecond=0)
    ca.crl_number += 1
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.issuer)
        .last_update(now - timedelta(minutes=60))
        .next_update(now + timedelta(days=crl.get("ExpirationInDays") or 7))
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.signing_key.public_key()), False)
        .add_extension(x509.CRLNumber(ca.crl_number), False)
    )
    for serial, entry in ca.revoked_certificates.items():
        revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(entry["at"])
        reason = REASONS[entry["reason"]]
        if reason is not x509.ReasonFlags.unspecified:
            revoked = revoked.add_extension(x509.CRLReason(reason), False)
        builder = builder.add_revoked_certificate(revoked.build())
    content = builder.sign(ca.signing_key, _hash(ca)).public_bytes(serialization.Encoding.DER)
    buckets.put(ca.account_id, crl["S3BucketName"], crl_key(ca), content)
    ca.crl_renewed_at = now


def renew_crls() -> None:
    """Write every list anew that is past half of its life, as Private CA does on its own."""
    now = datetime.now(UTC)
    for regions in list(models.acmpca_backends.values()):
        for backend in list(regions.values()):
            ca: Any
            for ca in list(backend.certificate_authorities.values()):
                crl = _crl_configuration(ca)
                if crl and ca.crl_renewed_at:
                    half = timedelta(days=crl.get("ExpirationInDays") or 7) / 2
                    if now - ca.crl_renewed_at > half:
                        write_crl(ca)


@wraps_original(CA, "to_json")
def _to_json(original: Callable[..., dict[str, Any]], self: Any) -> dict[str, Any]:
    described = original(self)
    if self.certificate:
        described["Serial"] = f"{self.certificate.serial_number:032x}"
    if self.restorable_until:
        described["RestorableUntil"] = self.restorable_until
    return described


def _chain(ca: Any) -> bytes:
    """The CA's own certificate and what stands above it: the chain of what it issues."""
    return bytes(ca.certificate_bytes.strip() + b"\n" + (ca.certificate_chain or b"").strip()).strip()


def _issue(ca: Any, request: dict[str, Any]) -> str:
    chosen = certificates.template(request.get("TemplateArn"))
    needed = "PENDING_CERTIFICATE" if chosen.is_root and not ca.certificate_bytes else "ACTIVE"
    if ca.status != needed:
        raise models.InvalidStateException(ca.arn)
    try:
        csr = x509.load_pem_x509_csr(base64.b64decode(request["Csr"], validate=True))
        valid = csr.is_signature_valid
    except (ValueError, binascii.Error, InvalidSignature) as problem:
        raise refuse("MalformedCSRException", f"The certificate signing request cannot be read: {problem}") from problem
    if not valid:
        raise refuse("MalformedCSRException", "The signature of the certificate signing request is invalid")
    issuer = certificates.Issuer(
        name=ca.issuer,
        key=ca.signing_key,
        certificate=ca.certificate,
        crl_url=_crl_url(ca),
        signing_algorithm=ca.certificate_authority_configuration["SigningAlgorithm"],
        short_lived=ca.usage_mode == "SHORT_LIVED_CERTIFICATE",
    )
    certificate = certificates.issue(issuer, request, csr)
    arn = f"{ca.arn}/certificate/{certificate.serial_number:032x}"
    ca.issued_certificates[arn] = certificate.public_bytes(PEM)
    if not chosen.is_root:
        ca.issued_certificates_certificate_chains[arn] = _chain(ca)
    return arn


def _ca_of(response: Any) -> tuple[Any, dict[str, Any]]:
    request = json.loads(response.body)
    return response.acmpca_backend.describe_certificate_authority(request["CertificateAuthorityArn"]), request


def _once(tokens: dict[str, tuple[float, str]], token: str | None, make: Callable[[], str]) -> str:
    """Answer a repeated idempotency token with what it made the first time."""
    if token and token in tokens and time.monotonic() - tokens[token][0] < _TOKEN_SECONDS:
        return tokens[token][1]
    made = make()
    if token:
        tokens[token] = (time.monotonic(), made)
    return made


@replaces(ACMPCAResponse)
def create_certificate_authority(self: Any) -> str:
    request = json.loads(self.body)
    backend = self.acmpca_backend
    if not hasattr(backend, "creation_tokens"):
        backend.creation_tokens = {}

    def make() -> str:
        arn = backend.create_certificate_authority(
            certificate_authority_configuration=request["CertificateAuthorityConfiguration"],
            revocation_configuration=request.get("RevocationConfiguration"),
            certificate_authority_type=request["CertificateAuthorityType"],
            security_standard=request.get("KeyStorageSecurityStandard"),
            tags=request.get("Tags"),
        )
        backend.certificate_authorities[arn].usage_mode = request.get("UsageMode") or "GENERAL_PURPOSE"
        return str(arn)

    return json.dumps(
        {"CertificateAuthorityArn": _once(backend.creation_tokens, request.get("IdempotencyToken"), make)}
    )


@replaces(ACMPCAResponse)
def update_certificate_authority(self: Any) -> str:
    ca, request = _ca_of(self)
    if ca.status == "DELETED":
        raise models.InvalidStateException(ca.arn)
    ca.set_revocation_configuration(request.get("RevocationConfiguration"))
    ca.status = request.get("Status") or ca.status
    ca.updated_at = models.unix_time()
    write_crl(ca)
    return "{}"


@replaces(ACMPCAResponse)
def delete_certificate_authority(self: Any) -> str:
    """Only a CA that is not active can be deleted; it stays restorable for 7 to 30 days.

    Source: https://docs.aws.amazon.com/privateca/latest/APIReference/API_DeleteCertificateAuthority.html
    """
    ca, request = _ca_of(self)
    if ca.status == "ACTIVE":
        raise models.InvalidStateException(ca.arn)
    days = request.get("PermanentDeletionTimeInDays") or 30
    ca.restorable_until = models.unix_time() + days * 86400
    ca.status = "DELETED"
    return "{}"


@replaces(ACMPCAResponse)
def import_certificate_authority_certificate(self: Any) -> str:
    ca, request = _ca_of(self)
    certificate, chain = (base64.b64decode(request.get(k) or "") for k in ("Certificate", "CertificateChain"))
    try:
        loaded = x509.load_pem_x509_certificate(certificate)
    except ValueError as problem:
        raise refuse("MalformedCertificateException", f"The certificate cannot be read: {problem}") from problem
    if loaded.public_key() != ca.signing_key.public_key():
        raise refuse("CertificateMismatchException", "The certificate does not hold the public key of this CA")
    ca.import_certificate_authority_certificate(certificate, chain or None)
    write_crl(ca)
    return "{}"


@replaces(ACMPCAResponse)
def get_certificate_authority_certificate(self: Any) -> str:
    ca, _ = _ca_of(self)
    if not ca.certificate_bytes:
        raise models.InvalidStateException(ca.arn)
    answer = {"Certificate": ca.certificate_bytes.decode().strip()}
    if ca.certificate_chain:
        answer["CertificateChain"] = ca.certificate_chain.decode().strip()
    return json.dumps(answer)


@replaces(ACMPCAResponse)
def issue_certificate(self: Any) -> str:
    ca, request = _ca_of(self)
    token = request.pop("IdempotencyToken", None)
    # A token stands for one request: the same token with other content is another request.
    token = token and json.dumps([token, request], sort_keys=True)
    try:
        return json.dumps({"CertificateArn": _once(ca.tokens, token, lambda: _issue(ca, request))})
    except certificates.RequestError as problem:
        raise refuse(problem.code, str(problem)) from problem


@replaces(ACMPCAResponse)
def get_certificate(self: Any) -> str:
    """A revoked certificate is still handed out, as on AWS; moto refuses it."""
    ca, request = _ca_of(self)
    arn = request["CertificateArn"]
    if arn not in ca.issued_certificates:
        raise models.ResourceNotFoundException(arn)
    certificate, chain = ca.get_certificate(arn)
    answer = {"Certificate": certificate.decode().strip()}
    if chain:
        answer["CertificateChain"] = chain.decode().strip()
    return json.dumps(answer)


@replaces(ACMPCAResponse)
def revoke_certificate(self: Any) -> str:
    """Revoke by hexadecimal serial, with or without colons, and write the list.

    Source: https://docs.aws.amazon.com/privateca/latest/APIReference/API_RevokeCertificate.html
    """
    ca, request = _ca_of(self)
    if ca.status != "ACTIVE":
        raise models.InvalidStateException(ca.arn)
    text, reason = request["CertificateSerial"], request["RevocationReason"]
    if not re.fullmatch(r"[0-9A-Fa-f]+(:?[0-9A-Fa-f]+)*", text) or reason not in REASONS:
        raise refuse("InvalidArgsException", f"Serial {text} or reason {reason} is not valid")
    serial = int(text.replace(":", ""), 16)
    if f"{ca.arn}/certificate/{serial:032x}" not in ca.issued_certificates:
        raise refuse("ResourceNotFoundException", f"This CA has issued no certificate with serial {text}")
    if serial in ca.revoked_certificates:
        raise refuse("RequestAlreadyProcessedException", f"The certificate with serial {text} is revoked already")
    ca.revoked_certificates[serial] = {"reason": reason, "at": datetime.now(UTC).replace(microsecond=0)}
    write_crl(ca)
    return "{}"


@adds(ACMPCAResponse)
def create_permission(self: Any) -> str:
    ca, request = _ca_of(self)
    principal = request["Principal"]
    if principal in ca.permissions:
        raise refuse("PermissionAlreadyExistsException", f"{principal} already has a permission on {ca.arn}")
    ca.permissions[principal] = {
        "CertificateAuthorityArn": ca.arn,
        "CreatedAt": models.unix_time(),
        "Principal": principal,
        "SourceAccount": request.get("SourceAccount") or self.current_account,
        "Actions": request["Actions"],
    }
    return "{}"


@adds(ACMPCAResponse)
def list_permissions(self: Any) -> str:
    ca, _ = _ca_of(self)
    return json.dumps({"Permissions": list(ca.permissions.values())})


@adds(ACMPCAResponse)
def delete_permission(self: Any) -> str:
    ca, request = _ca_of(self)
    ca.permissions.pop(request["Principal"], None)
    return "{}"
