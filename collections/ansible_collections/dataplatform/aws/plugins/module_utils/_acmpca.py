# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS Private CA: issue, fetch and revoke a certificate. One function for each call.

Private to this collection. Imports nothing from ansible, because hosts use it without ansible. `client` is a boto3
client of the service acm-pca.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _pki

CLIENT_AUTH = "EndEntityClientAuthCertificate/V1"
SERVER_AUTH = "EndEntityServerAuthCertificate/V1"
CLIENT_AND_SERVER_AUTH = "EndEntityCertificate/V1"
TEMPLATES = (CLIENT_AUTH, SERVER_AUTH, CLIENT_AND_SERVER_AUTH)
REASONS = (
    "UNSPECIFIED",
    "KEY_COMPROMISE",
    "CERTIFICATE_AUTHORITY_COMPROMISE",
    "AFFILIATION_CHANGED",
    "SUPERSEDED",
    "CESSATION_OF_OPERATION",
    "PRIVILEGE_WITHDRAWN",
    "A_A_COMPROMISE",
)
# AWS takes repeated requests with one token within five minutes for one request (IssueCertificate, API reference).
TOKEN_LIFETIME = dt.timedelta(minutes=5)
TOKEN_LENGTH = 36

WAITERS = {
    "certificate_issued": {
        "operation": "GetCertificate",
        "delay": 1,
        "maxAttempts": 60,
        "acceptors": [
            {"state": "success", "matcher": "status", "expected": 200},
            *_aws.retrying("RequestInProgressException"),
        ],
    },
}


class Issued(t.NamedTuple):
    """A certificate from the CA: PEM text, PEM text of the CA certificates above it, ARN."""

    certificate_pem: str
    chain_pem: str
    arn: str


def template_arn(ca_arn: str, template: str) -> str:
    """The ARN of one of AWS's templates (such as CLIENT_AUTH) in the partition of the CA."""
    if template.startswith("arn:"):
        return template
    return f"arn:{ca_arn.split(':')[1]}:acm-pca:::template/{template}"


def token(*parts: str) -> str:
    """An idempotency token made from what makes a request the same request."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:TOKEN_LENGTH]


def validity_of(validity: int | dt.timedelta | dt.datetime) -> dict[str, t.Any]:
    """AWS's Validity: days (int), a duration from now, or the moment of expiry. AWS counts whole seconds."""
    if isinstance(validity, int):
        return {"Type": "DAYS", "Value": validity}
    end = _pki.now() + validity if isinstance(validity, dt.timedelta) else validity
    return {"Type": "ABSOLUTE", "Value": int(end.timestamp())}


def describe_authority(client: t.Any, ca_arn: str) -> dict[str, t.Any]:
    """DescribeCertificateAuthority: status, configuration, revocation configuration, usage mode."""
    answer = _aws.call(client, "describe_certificate_authority", CertificateAuthorityArn=ca_arn)
    return t.cast("dict[str, t.Any]", answer["CertificateAuthority"])


def signing_algorithm(client: t.Any, ca_arn: str) -> str:
    """The algorithm that the CA signs with: that of its own configuration."""
    return str(describe_authority(client, ca_arn)["CertificateAuthorityConfiguration"]["SigningAlgorithm"])


def authority_certificates(client: t.Any, ca_arn: str) -> tuple[str, str]:
    """GetCertificateAuthorityCertificate: the CA's certificate and the chain above it (may be empty), PEM text."""
    answer = _aws.call(client, "get_certificate_authority_certificate", CertificateAuthorityArn=ca_arn)
    return answer["Certificate"], answer.get("CertificateChain") or ""


def request_certificate(
    client: t.Any,
    ca_arn: str,
    csr_pem: str | bytes,
    template: str,
    validity: int | dt.timedelta | dt.datetime,
    idempotency_token: str,
    algorithm: str | None = None,
) -> str:
    """IssueCertificate: the ARN of a certificate that will be there in a moment."""
    answer = _aws.call(
        client,
        "issue_certificate",
        CertificateAuthorityArn=ca_arn,
        Csr=csr_pem.encode() if isinstance(csr_pem, str) else csr_pem,
        SigningAlgorithm=algorithm or signing_algorithm(client, ca_arn),
        TemplateArn=template_arn(ca_arn, template),
        Validity=validity_of(validity),
        IdempotencyToken=idempotency_token[:TOKEN_LENGTH],
    )
    return str(answer["CertificateArn"])


def get(client: t.Any, ca_arn: str, certificate_arn: str, timeout: float = 60) -> Issued:
    """GetCertificate, once it is issued.

    :param timeout: seconds to wait for the CA
    """
    identity: dict[str, t.Any] = {"CertificateAuthorityArn": ca_arn, "CertificateArn": certificate_arn}
    _aws.wait(client, WAITERS, "certificate_issued", timeout=timeout, **identity)
    answer = _aws.call(client, "get_certificate", **identity)
    chain = answer.get("CertificateChain") or ""
    return Issued(answer["Certificate"].strip() + "\n", chain.strip() + "\n" if chain else "", certificate_arn)


def issue(
    client: t.Any,
    ca_arn: str,
    csr_pem: str | bytes,
    template: str = CLIENT_AUTH,
    validity: int | dt.timedelta | dt.datetime = 1,
    idempotency_token: str | None = None,
    algorithm: str | None = None,
    timeout: float = 60,
) -> Issued:
    """Have the CA sign a request and wait for the certificate.

    The certificate is compared with the request: same subject, same key. AWS dates notBefore one hour back.

    :param template: one of TEMPLATES, or a template's ARN
    :param validity: days, a duration, or a moment; at most 7 days for a CA in short-lived mode
    :param idempotency_token: at most 36 characters; None: made from the request
    :raises AwsError: the CA refused
    :raises PkiError: the certificate is not what was asked for
    """
    request = _pki.load_csr(csr_pem)
    if idempotency_token is None:
        idempotency_token = token(ca_arn, template, str(validity), _pki.spki_sha256(request), str(request.subject))
    arn = request_certificate(client, ca_arn, csr_pem, template, validity, idempotency_token, algorithm)
    issued = get(client, ca_arn, arn, timeout)
    certificate = _pki.load_certificate(issued.certificate_pem)
    if certificate.subject != request.subject:
        raise _pki.PkiError(
            f"the CA signed {certificate.subject.rfc4514_string()}, not {request.subject.rfc4514_string()}"
        )
    if _pki.spki_sha256(certificate) != _pki.spki_sha256(request):
        raise _pki.PkiError(f"{arn} belongs to another key: its idempotency token was used before; use another one")
    return issued


def revoke(client: t.Any, ca_arn: str, serial: str, reason: str = "UNSPECIFIED") -> bool:
    """RevokeCertificate. Returns False when it was revoked before.

    :param serial: hex, with or without colons
    :param reason: one of REASONS
    """
    try:
        _aws.call(
            client,
            "revoke_certificate",
            retry_on=("ConcurrentModificationException", "RequestInProgressException"),
            CertificateAuthorityArn=ca_arn,
            CertificateSerial=_pki.serial_colons(serial),
            RevocationReason=reason,
        )
    except _aws.AwsError as error:
        if error.code == "RequestAlreadyProcessedException":
            return False
        raise
    return True


def crl_location(authority: dict[str, t.Any]) -> tuple[str, str] | None:
    """Bucket and key of the CA's revocation list (from describe_authority), or None when it writes none."""
    crl = (authority.get("RevocationConfiguration") or {}).get("CrlConfiguration") or {}
    if not crl.get("Enabled"):
        return None
    folder = str(crl.get("CustomPath") or "crl").strip("/")
    return str(crl["S3BucketName"]), f"{folder}/{authority['Arn'].rsplit('/', 1)[1]}.crl"
