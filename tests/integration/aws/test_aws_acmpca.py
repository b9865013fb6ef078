"""AWS Private CA: what the mended emulation does, each test naming where AWS documents it."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

TEMPLATE = "arn:aws:acm-pca:::template/{}/V1"
BUCKET = "revocation-lists"


@pytest.fixture(scope="module")
def pca(client):
    s3 = client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=bucket_policy(BUCKET))
    s3.put_public_access_block(
        Bucket=BUCKET,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    return client("acm-pca")


def bucket_policy(bucket: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "acm-pca.amazonaws.com"},
        "Action": ["s3:PutObject", "s3:PutObjectAcl", "s3:GetBucketAcl", "s3:GetBucketLocation"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def crl_configuration(bucket: str = BUCKET, **more) -> dict:
    crl = {"Enabled": True, "ExpirationInDays": 7, "S3BucketName": bucket, "S3ObjectAcl": "BUCKET_OWNER_FULL_CONTROL"}
    return {"CrlConfiguration": {**crl, **more}}


def new_ca(pca, algorithm="EC_prime256v1", signing="SHA256WITHECDSA", years=10, activate=True, **more) -> str:
    arn = pca.create_certificate_authority(
        CertificateAuthorityConfiguration={
            "KeyAlgorithm": algorithm,
            "SigningAlgorithm": signing,
            "Subject": {"CommonName": "dev-acm-pca", "Organization": "Platform", "Country": "DE"},
        },
        CertificateAuthorityType="ROOT",
        **more,
    )["CertificateAuthorityArn"]
    if activate:
        csr = pca.get_certificate_authority_csr(CertificateAuthorityArn=arn)["Csr"]
        issued = pca.issue_certificate(
            CertificateAuthorityArn=arn,
            Csr=csr.encode(),
            SigningAlgorithm=signing,
            TemplateArn=TEMPLATE.format("RootCACertificate"),
            Validity={"Type": "YEARS", "Value": years},
        )["CertificateArn"]
        certificate = pca.get_certificate(CertificateAuthorityArn=arn, CertificateArn=issued)["Certificate"]
        pca.import_certificate_authority_certificate(CertificateAuthorityArn=arn, Certificate=certificate.encode())
    return arn


def request(key=None, names=(("O", "Platform"), ("OU", "DataEng"), ("CN", "alice")), sans=()) -> bytes:
    oids = {"O": NameOID.ORGANIZATION_NAME, "OU": NameOID.ORGANIZATIONAL_UNIT_NAME, "CN": NameOID.COMMON_NAME}
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(oids[k], v) for k, v in names])
    )
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(s) for s in sans]), False)
    key = key or ec.generate_private_key(ec.SECP256R1())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def issue(pca, ca, template="EndEntityClientAuthCertificate", csr=None, days=1, signing="SHA256WITHECDSA", **more):
    asked = {"Validity": {"Type": "DAYS", "Value": days}, **more}
    arn = pca.issue_certificate(
        CertificateAuthorityArn=ca,
        Csr=csr or request(),
        SigningAlgorithm=signing,
        TemplateArn=TEMPLATE.format(template),
        **asked,
    )["CertificateArn"]
    answer = pca.get_certificate(CertificateAuthorityArn=ca, CertificateArn=arn)
    return x509.load_pem_x509_certificate(answer["Certificate"].encode()), arn, answer.get("CertificateChain")


def crl(client, ca: str) -> x509.CertificateRevocationList:
    body = client("s3").get_object(Bucket=BUCKET, Key=f"crl/{ca.rpartition('/')[2]}.crl")["Body"].read()
    return x509.load_der_x509_crl(body)


def code(refused) -> str:
    return refused.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("algorithm", "signing", "size"),
    [
        ("RSA_2048", "SHA256WITHRSA", 2048),
        ("RSA_4096", "SHA512WITHRSA", 4096),
        ("EC_prime256v1", "SHA256WITHECDSA", 256),
        ("EC_secp384r1", "SHA384WITHECDSA", 384),
    ],
)
def test_a_ca_has_the_key_of_its_configuration(pca, algorithm, signing, size):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_CertificateAuthorityConfiguration.html"""
    ca = new_ca(pca, algorithm, signing)
    pem = pca.get_certificate_authority_certificate(CertificateAuthorityArn=ca)["Certificate"]
    certificate = x509.load_pem_x509_certificate(pem.encode())
    assert certificate.public_key().key_size == size
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey) == algorithm.startswith("RSA")
    assert certificate.signature_hash_algorithm.name == signing[:6].lower()
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.subject.rfc4514_string() == "CN=dev-acm-pca,O=Platform,C=DE"


def test_templates_decide_what_a_certificate_is_for(pca):
    """https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html"""
    ca = new_ca(pca)
    purposes = {
        "EndEntityCertificate": {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH},
        "EndEntityClientAuthCertificate": {ExtendedKeyUsageOID.CLIENT_AUTH},
        "EndEntityServerAuthCertificate": {ExtendedKeyUsageOID.SERVER_AUTH},
    }
    for template, expected in purposes.items():
        certificate, _, _ = issue(pca, ca, template, request(sans=["host.example.org"]))
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert set(usage) == expected
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        assert constraints.critical
        assert not constraints.value.ca
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["host.example.org"]


def test_a_subordinate_ca_has_the_path_length_of_its_template(pca):
    """https://docs.aws.amazon.com/privateca/latest/userguide/template-definitions.html"""
    certificate, _, _ = issue(pca, new_ca(pca), "SubordinateCACertificate_PathLen1")
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 1)


def test_an_unknown_template_is_refused(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html"""
    with pytest.raises(ClientError) as refused:
        issue(pca, new_ca(pca), "MadeUpCertificate")
    assert code(refused) == "InvalidArgsException"


def test_validity_counts_from_now_and_begins_an_hour_back(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_Validity.html and API_IssueCertificate.html:
    without ValidityNotBefore, a certificate begins 60 minutes before it is issued."""
    ca, now = new_ca(pca), datetime.now(UTC)
    certificate, _, _ = issue(pca, ca, days=3)
    assert abs(certificate.not_valid_after_utc - (now + timedelta(days=3))) < timedelta(minutes=1)
    assert abs(certificate.not_valid_before_utc - (now - timedelta(hours=1))) < timedelta(minutes=1)
    end = int(now.timestamp()) + 120
    certificate, _, _ = issue(pca, ca, Validity={"Type": "ABSOLUTE", "Value": end})
    assert certificate.not_valid_after_utc.timestamp() == end
    certificate, _, _ = issue(pca, ca, Validity={"Type": "END_DATE", "Value": 20300102030405 % 10**12})
    assert certificate.not_valid_after_utc == datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_certificate_may_not_outlive_its_ca(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html"""
    with pytest.raises(ClientError, match="exceeds the certificate authority validity"):
        issue(pca, new_ca(pca, years=1), days=400)


def test_a_short_lived_ca_issues_for_seven_days_at_most(pca):
    """https://docs.aws.amazon.com/privateca/latest/userguide/short-lived-certificates.html"""
    ca = new_ca(pca, UsageMode="SHORT_LIVED_CERTIFICATE")
    described = pca.describe_certificate_authority(CertificateAuthorityArn=ca)["CertificateAuthority"]
    assert described["UsageMode"] == "SHORT_LIVED_CERTIFICATE"
    issue(pca, ca, days=7)
    with pytest.raises(ClientError, match="at most 7 days"):
        issue(pca, ca, days=8)


def test_api_passthrough_overrides_the_request_only_where_the_template_allows_it(pca):
    """https://docs.aws.amazon.com/privateca/latest/userguide/template-order-of-operations.html"""
    ca = new_ca(pca)
    passed = {"Subject": {"CommonName": "reviewed", "Organization": "Platform"}}
    template = "EndEntityClientAuthCertificate_APIPassthrough"
    certificate, _, _ = issue(pca, ca, template, ApiPassthrough=passed)
    assert certificate.subject.rfc4514_string() == "CN=reviewed,O=Platform"
    with pytest.raises(ClientError) as refused:
        issue(pca, ca, "EndEntityClientAuthCertificate", ApiPassthrough=passed)
    assert code(refused) == "InvalidArgsException"


def test_an_idempotency_token_gives_one_certificate(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html"""
    ca, csr = new_ca(pca), request()
    first, second, other = (issue(pca, ca, csr=csr, IdempotencyToken=token)[1] for token in ("one", "one", "two"))
    assert first == second != other
    assert first.startswith(f"{ca}/certificate/")


def test_a_broken_request_is_refused(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html"""
    with pytest.raises(ClientError) as refused:
        issue(pca, new_ca(pca), csr=b"-----BEGIN CERTIFICATE REQUEST-----\nnonsense")
    assert code(refused) == "MalformedCSRException"


def test_a_ca_without_certificate_does_not_issue(pca):
    """https://docs.aws.amazon.com/privateca/latest/userguide/create-CA.html"""
    with pytest.raises(ClientError) as refused:
        issue(pca, new_ca(pca, activate=False))
    assert code(refused) == "InvalidStateException"


def test_a_cas_own_request_stays_the_same(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_GetCertificateAuthorityCsr.html"""
    ca = new_ca(pca, activate=False)
    assert len({pca.get_certificate_authority_csr(CertificateAuthorityArn=ca)["Csr"] for _ in range(3)}) == 1


def test_the_certificate_of_another_key_cannot_be_imported(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_ImportCertificateAuthorityCertificate.html"""
    other = pca.get_certificate_authority_certificate(CertificateAuthorityArn=new_ca(pca))["Certificate"]
    with pytest.raises(ClientError) as refused:
        pca.import_certificate_authority_certificate(
            CertificateAuthorityArn=new_ca(pca, activate=False), Certificate=other.encode()
        )
    assert code(refused) == "CertificateMismatchException"


def test_openssl_accepts_the_chain_for_a_client(pca, tmp_path):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_GetCertificate.html"""
    certificate, _, chain = issue(pca, new_ca(pca))
    (tmp_path / "ca.pem").write_text(chain)
    (tmp_path / "user.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", "ca.pem", "user.pem"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_an_active_ca_has_an_empty_list_that_its_certificates_name(pca, client):
    """https://docs.aws.amazon.com/privateca/latest/userguide/crl-planning.html"""
    ca = new_ca(pca, RevocationConfiguration=crl_configuration())
    found = crl(client, ca)
    assert len(found) == 0
    assert found.next_update_utc - datetime.now(UTC) > timedelta(days=6, hours=23)
    certificate, _, _ = issue(pca, ca)
    points = certificate.extensions.get_extension_for_oid(ExtensionOID.CRL_DISTRIBUTION_POINTS).value
    name = ca.rpartition("/")[2]
    assert points[0].full_name[0].value == f"http://{BUCKET}.s3.eu-central-1.amazonaws.com/crl/{name}.crl"


def test_revoked_serials_are_listed_with_reason_and_certificates_stay_readable(pca, client):
    """https://docs.aws.amazon.com/privateca/latest/userguide/PcaRevokeCert.html"""
    ca = new_ca(pca, RevocationConfiguration=crl_configuration())
    (plain, arn, _), (coloned, _, _) = issue(pca, ca), issue(pca, ca)
    text = f"{coloned.serial_number:032x}"
    serials = [f"{plain.serial_number:x}", ":".join(text[i : i + 2] for i in range(0, 32, 2))]
    for serial in serials:
        pca.revoke_certificate(CertificateAuthorityArn=ca, CertificateSerial=serial, RevocationReason="KEY_COMPROMISE")
    listed = {r.serial_number: r for r in crl(client, ca)}
    assert set(listed) == {plain.serial_number, coloned.serial_number}
    reason = listed[plain.serial_number].extensions.get_extension_for_class(x509.CRLReason).value
    assert reason.reason is x509.ReasonFlags.key_compromise
    assert pca.get_certificate(CertificateAuthorityArn=ca, CertificateArn=arn)["Certificate"]
    issuer = x509.load_pem_x509_certificate(
        pca.get_certificate_authority_certificate(CertificateAuthorityArn=ca)["Certificate"].encode()
    )
    assert crl(client, ca).is_signature_valid(issuer.public_key())
    with pytest.raises(ClientError) as refused:
        pca.revoke_certificate(CertificateAuthorityArn=ca, CertificateSerial=serials[0], RevocationReason="SUPERSEDED")
    assert code(refused) == "RequestAlreadyProcessedException"


def test_an_unknown_serial_cannot_be_revoked(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_RevokeCertificate.html"""
    with pytest.raises(ClientError) as refused:
        pca.revoke_certificate(
            CertificateAuthorityArn=new_ca(pca), CertificateSerial="ab:cd", RevocationReason="SUPERSEDED"
        )
    assert code(refused) == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("configuration", "said"),
    [
        (crl_configuration("no-such-bucket"), "no bucket no-such-bucket"),
        (crl_configuration("closed-bucket"), "has no policy"),
        (crl_configuration(S3ObjectAcl="PUBLIC_READ"), "blocks public ACLs"),
    ],
)
def test_a_bucket_that_cannot_take_lists_is_refused(pca, client, configuration, said):
    """https://docs.aws.amazon.com/privateca/latest/userguide/crl-planning.html"""
    if configuration["CrlConfiguration"]["S3BucketName"] == "closed-bucket":
        client("s3").create_bucket(
            Bucket="closed-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    with pytest.raises(ClientError, match=said):
        new_ca(pca, RevocationConfiguration=configuration)


def test_only_a_disabled_ca_can_be_deleted_and_it_stays_restorable(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_DeleteCertificateAuthority.html"""
    ca = new_ca(pca)
    with pytest.raises(ClientError) as refused:
        pca.delete_certificate_authority(CertificateAuthorityArn=ca)
    assert code(refused) == "InvalidStateException"
    pca.update_certificate_authority(CertificateAuthorityArn=ca, Status="DISABLED")
    pca.delete_certificate_authority(CertificateAuthorityArn=ca, PermanentDeletionTimeInDays=7)
    described = pca.describe_certificate_authority(CertificateAuthorityArn=ca)["CertificateAuthority"]
    assert described["Status"] == "DELETED"
    assert abs(described["RestorableUntil"].timestamp() - time.time() - 7 * 86400) < 60


def test_permissions_and_tags_are_kept(pca):
    """https://docs.aws.amazon.com/privateca/latest/APIReference/API_CreatePermission.html"""
    ca = new_ca(pca, Tags=[{"Key": "Environment", "Value": "dev"}])
    asked = {"CertificateAuthorityArn": ca, "Principal": "acm.amazonaws.com"}
    pca.create_permission(**asked, Actions=["IssueCertificate", "GetCertificate", "ListPermissions"])
    assert pca.list_permissions(CertificateAuthorityArn=ca)["Permissions"][0]["SourceAccount"] == "111122223333"
    pca.delete_permission(**asked)
    assert pca.list_permissions(CertificateAuthorityArn=ca)["Permissions"] == []
    assert pca.list_tags(CertificateAuthorityArn=ca)["Tags"] == [{"Key": "Environment", "Value": "dev"}]
