"""Calls to AWS Private CA, answered by botocore's stubs as AWS answers."""

from __future__ import annotations

import datetime as dt
import types
import typing as t

import boto3
import botocore.waiter
import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _aws, _pki
from botocore.stub import ANY, Stubber
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

CA_ARN = "arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555"
ARN = f"{CA_ARN}/certificate/0123456789abcdef0123456789abcdef"
OK = {"ResponseMetadata": {"HTTPStatusCode": 200}}  # what a waiter looks at
ALICE = {"common_name": "alice", "organizational_unit": "DataEng", "organization": "Platform"}


@pytest.fixture
def client() -> t.Any:
    return boto3.client(
        "acm-pca", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x", endpoint_url=None
    )


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are recorded, not waited. The waiters' own `time` is replaced: `time.sleep` itself is every thread's."""
    waited: list[float] = []
    monkeypatch.setattr(botocore.waiter, "time", types.SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(_aws.call, "__kwdefaults__", {**_aws.call.__kwdefaults__, "sleep": waited.append})
    return waited


def certificate_for(csr_pem: bytes, subject: dict[str, str] | None = None) -> str:
    request = x509.load_pem_x509_csr(csr_pem)
    now = dt.datetime.now(dt.timezone.utc)
    return _pki.certificate_pem(
        x509.CertificateBuilder()
        .subject_name(_pki.name(subject) if subject else request.subject)
        .issuer_name(_pki.name({**ALICE, "common_name": "users"}))
        .public_key(request.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )


def authority(stub: Stubber) -> None:
    stub.add_response(
        "describe_certificate_authority",
        {
            "CertificateAuthority": {
                "Arn": CA_ARN,
                "CertificateAuthorityConfiguration": {
                    "KeyAlgorithm": "EC_prime256v1",
                    "SigningAlgorithm": "SHA256WITHECDSA",
                    "Subject": {},
                },
            }
        },
    )


def test_issue_asks_waits_and_compares(client: t.Any, no_waiting: list[float]) -> None:
    csr = _pki.csr(ALICE, _pki.new_key())
    pem = certificate_for(csr)
    with Stubber(client) as stub:
        authority(stub)
        stub.add_client_error("issue_certificate", "ThrottlingException", "slow down")
        stub.add_response(
            "issue_certificate",
            {"CertificateArn": ARN},
            {
                "CertificateAuthorityArn": CA_ARN,
                "Csr": csr,
                "SigningAlgorithm": "SHA256WITHECDSA",
                "TemplateArn": "arn:aws:acm-pca:::template/EndEntityClientAuthCertificate/V1",
                "Validity": {"Type": "DAYS", "Value": 7},
                "IdempotencyToken": ANY,
            },
        )
        stub.add_client_error("get_certificate", "RequestInProgressException")
        stub.add_client_error("get_certificate", "ThrottlingException")
        stub.add_response("get_certificate", {"Certificate": pem, "CertificateChain": pem, **OK})
        stub.add_response("get_certificate", {"Certificate": pem.strip(), "CertificateChain": pem.strip()})
        issued = _acmpca.issue(client, CA_ARN, csr, validity=7)
        stub.assert_no_pending_responses()
    assert issued == (pem, pem, ARN)
    assert no_waiting


@pytest.mark.parametrize("other_key", [True, False])
def test_a_certificate_for_another_key_or_subject_is_refused(client: t.Any, other_key: bool) -> None:
    csr = _pki.csr(ALICE, _pki.new_key())
    if other_key:
        pem = certificate_for(_pki.csr(ALICE, _pki.new_key()))
    else:
        pem = certificate_for(csr, {**ALICE, "organizational_unit": "PlatformAdmins"})
    with Stubber(client) as stub:
        stub.add_response("issue_certificate", {"CertificateArn": ARN})
        stub.add_response("get_certificate", {"Certificate": pem, **OK})
        stub.add_response("get_certificate", {"Certificate": pem})
        with pytest.raises(_pki.PkiError, match="another key" if other_key else "the CA signed"):
            _acmpca.issue(client, CA_ARN, csr, algorithm="SHA256WITHECDSA")


def test_a_refusal_is_not_repeated(client: t.Any, no_waiting: list[float]) -> None:
    with Stubber(client) as stub:
        stub.add_client_error("issue_certificate", "AccessDeniedException", "not you")
        with pytest.raises(_aws.AwsError, match=r"acm-pca issue_certificate.*not you") as caught:
            _acmpca.issue(client, CA_ARN, _pki.csr(ALICE, _pki.new_key()), algorithm="SHA256WITHECDSA")
    assert caught.value.code == "AccessDeniedException"
    assert not no_waiting


def test_throttling_ends_at_some_point_and_waits_grow(client: t.Any, no_waiting: list[float]) -> None:
    with Stubber(client) as stub:
        for _attempt in range(_aws.ATTEMPTS):
            stub.add_client_error("issue_certificate", "ThrottlingException")
        with pytest.raises(_aws.AwsError):
            _acmpca.issue(client, CA_ARN, _pki.csr(ALICE, _pki.new_key()), algorithm="SHA256WITHECDSA")
    assert len(no_waiting) == _aws.ATTEMPTS - 1
    assert all(0 <= seconds <= _aws.LONGEST_DELAY for seconds in no_waiting)


def test_revocation_happens_once(client: t.Any) -> None:
    expected = {
        "CertificateAuthorityArn": CA_ARN,
        "CertificateSerial": "0a:bc",
        "RevocationReason": "SUPERSEDED",
    }
    with Stubber(client) as stub:
        stub.add_response("revoke_certificate", {}, expected)
        stub.add_client_error("revoke_certificate", "RequestAlreadyProcessedException")
        stub.add_client_error("revoke_certificate", "ResourceNotFoundException")
        assert _acmpca.revoke(client, CA_ARN, "abc", "SUPERSEDED")
        assert not _acmpca.revoke(client, CA_ARN, "abc", "SUPERSEDED")
        with pytest.raises(_aws.AwsError):
            _acmpca.revoke(client, CA_ARN, "abc")


def test_tokens_depend_on_every_part_and_fit() -> None:
    assert _acmpca.token("a", "b") == _acmpca.token("a", "b")
    assert len({_acmpca.token("a", "b"), _acmpca.token("ab"), _acmpca.token("a", "c")}) == 3
    assert len(_acmpca.token("a" * 1000)) == 36


def test_validity_in_days_durations_and_moments() -> None:
    assert _acmpca.validity_of(7) == {"Type": "DAYS", "Value": 7}
    moment = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)
    assert _acmpca.validity_of(moment) == {"Type": "ABSOLUTE", "Value": 1893456000}
    in_two_minutes = _acmpca.validity_of(dt.timedelta(minutes=2))["Value"] - _pki.now().timestamp()
    assert 115 < in_two_minutes <= 120


def test_templates_follow_the_partition() -> None:
    assert _acmpca.template_arn(CA_ARN.replace("arn:aws:", "arn:aws-cn:"), _acmpca.CLIENT_AUTH) == (
        "arn:aws-cn:acm-pca:::template/EndEntityClientAuthCertificate/V1"
    )


def test_where_the_revocation_list_is() -> None:
    crl = {"Enabled": True, "S3BucketName": "certs"}
    described = {"Arn": CA_ARN, "RevocationConfiguration": {"CrlConfiguration": crl}}
    assert _acmpca.crl_location(described) == ("certs", "crl/11111111-2222-3333-4444-555555555555.crl")
    assert _acmpca.crl_location({"Arn": CA_ARN}) is None
