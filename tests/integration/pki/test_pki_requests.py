"""Certificates from reviewed requests, in the emulated account: issue, renew, replace, revoke, and kills in between."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _acmpca,
    _aws,
    _delivery,
    _dn,
    _issuance,
    _pki,
    _reconcile,
    _registry,
    _requests,
    _trust_store,
)

from tests.integration.pki.conftest import BUCKET, PICKUP, RULES, Account

Write = Callable[..., Path]


@pytest.fixture
def run(account: Account) -> Callable[..., dict[str, Any]]:
    """run(folder, check=False, **options): what the module does."""

    def reconcile(folder: Path, check: bool = False, **options: Any) -> dict[str, Any]:
        clients = (account.client("acm-pca"), account.client("s3"), account.client("secretsmanager"))
        defaults = {
            "env": "dev",
            "directory": str(folder),
            "certificate_authority_arn": account.ca_arn,
            "bucket": BUCKET,
            "pickup_principal": PICKUP,
            "rules": RULES,
            "renew_before_days": 30.0,
            "kms_key_id": None,
            "tags": {"Project": "data-platform"},
            "allow_empty": False,
        }
        return _reconcile.reconcile(clients, {**defaults, **options}, check)

    return reconcile


def revoked_at_ca(account: Account) -> set[str]:
    """Serials on the CA's own list."""
    (body,) = account.objects("crl/").values()
    return set(_pki.crl_serials(_pki.load_crl(body)))


def revoked_at_edges(account: Account) -> set[str]:
    text = account.objects("revocations/")["revocations/users.txt"].decode()
    assert re.match(r"# updated \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n", text)
    return set(text.splitlines()[1:])


def by_user(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["user"]: entry for entry in result["users"]}


def test_requests_become_certificates_and_the_second_run_changes_nothing(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    folder = requests_folder(alice="DataEng", bob="Analytics")
    first = run(folder)
    assert (first["changed"], first["issued"], first["errors"]) == (True, ["alice", "bob"], {})
    users = by_user(first)
    assert users["alice"]["dn"] == "CN=alice,OU=DataEng,O=Platform"
    assert (users["alice"]["role"], users["bob"]["role"]) == ("engineer", "viewer")
    before = account.objects()
    assert revoked_at_edges(account) == set()

    second = run(folder)
    assert (second["changed"], second["unchanged"], second["errors"]) == (False, ["alice", "bob"], {})
    assert [user["serial"] for user in second["users"]] == [user["serial"] for user in first["users"]]
    after = account.objects()
    different = {key for key in before if before[key] != after[key]} | (before.keys() ^ after.keys())
    assert different <= {"revocations/users.txt"}

    keystore, password, version = _delivery.fetch(account.client("secretsmanager"), "dev", "alice")
    key, certificate, chain = _pki.load_pkcs12(keystore, password)
    assert _pki.serial_hex(certificate) == users["alice"]["serial"]
    assert _pki.spki_sha256(key) == _pki.spki_sha256(certificate)
    assert [_dn.from_certificate(above).values("CN") for above in chain] == [("dev-acm-pca",)]
    lifetime = certificate.not_valid_after_utc - _pki.now()
    assert dt.timedelta(days=179) < lifetime <= dt.timedelta(days=180)
    record = json.loads(before[f"registry/users/alice/{users['alice']['serial']}.json"])
    assert "PRIVATE" not in json.dumps(record)
    assert record["user"] == "alice"
    assert before["users/alice/certificate.pem"].decode().startswith(_pki.certificate_pem(certificate))
    assert version


@pytest.mark.parametrize("written", ["arn:aws:iam::111122223333:role/alice", "role/alice"])
def test_only_the_principal_may_read_the_secrets(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], written: str
) -> None:
    principal = "arn:aws:iam::111122223333:role/alice"
    run(requests_folder(bob="Analytics"))
    run(requests_folder(alice="DataEng", extra=f"principal: {written}\n"))
    client = account.client("secretsmanager")
    for user, wanted in (("alice", principal), ("bob", PICKUP)):
        for name in _delivery.names("dev", user).values():
            deny, allow = _delivery.get_policy(client, name)["Statement"]  # type: ignore[index]
            assert allow["Principal"] == {"AWS": wanted}
            assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
            assert deny["Condition"] == {"ArnNotEquals": {"aws:PrincipalArn": wanted}}
    # Somebody opens a secret by hand, and the reviewed principal changes: no new certificate for that.
    client.put_resource_policy(
        SecretId="dataplatform/dev/users/bob/password",
        ResourcePolicy=json.dumps({"Version": "2012-10-17", "Statement": []}),
    )
    result = run(requests_folder(alice="DataEng"))
    assert (result["changed"], result["unchanged"]) == (True, ["alice", "bob"])
    for user in ("alice", "bob"):
        assert _delivery.wrong_policies(client, "dev", user, PICKUP) == []


def test_a_removed_request_is_revoked_everywhere(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    first = by_user(run(requests_folder(alice="DataEng", bob="Analytics")))
    serial = first["bob"]["serial"]
    result = run(requests_folder(bob=None))
    assert result["revoked"] == [{"user": "bob", "serial": serial, "reason": "CESSATION_OF_OPERATION"}]
    assert list(by_user(result)) == ["alice"]
    assert revoked_at_ca(account) == revoked_at_edges(account) == {serial}
    assert result["revoked_serials"] == [serial]
    assert not any("bob" in name for name in account.secret_names())
    assert "users/bob/certificate.pem" not in account.objects()
    assert run(requests_folder())["changed"] is False
    # Back again: another certificate, and the old serial stays on the list.
    again = run(requests_folder(bob="Analytics"))
    assert again["issued"] == ["bob"]
    assert by_user(again)["bob"]["serial"] != serial
    assert revoked_at_edges(account) == {serial}


def test_revoked_in_the_file_means_revoked(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    serial = by_user(run(requests_folder(alice="DataEng", bob="Analytics")))["bob"]["serial"]
    folder = requests_folder(bob="Analytics", extra="revoked: true\nrevocation_reason: KEY_COMPROMISE\n")
    result = run(folder)
    assert result["revoked"] == [{"user": "bob", "serial": serial, "reason": "KEY_COMPROMISE"}]
    assert list(by_user(result)) == ["alice"]
    assert run(folder)["changed"] is False


def test_a_changed_request_gets_a_new_certificate_and_the_old_one_is_revoked(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    old = by_user(run(requests_folder(alice="DataEng")))["alice"]["serial"]
    result = run(requests_folder(alice="Analytics"))
    alice = by_user(result)["alice"]
    assert (result["renewed"], alice["status"], alice["role"]) == (["alice"], "replaced", "viewer")
    assert revoked_at_ca(account) == revoked_at_edges(account) == {old}
    keystore, password, _version = _delivery.fetch(account.client("secretsmanager"), "dev", "alice")
    assert _pki.serial_hex(_pki.load_pkcs12(keystore, password)[1]) == alice["serial"]
    assert run(requests_folder())["changed"] is False


def test_a_certificate_near_its_end_is_renewed_and_the_old_one_lives_on(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = requests_folder(alice="DataEng", expiry_days=90)
    old = by_user(run(folder))["alice"]["serial"]
    real = _pki.now
    monkeypatch.setattr(_pki, "now", lambda: real() + dt.timedelta(days=61))
    result = run(folder)
    assert (result["renewed"], by_user(result)["alice"]["status"]) == (["alice"], "renewed")
    assert by_user(result)["alice"]["serial"] != old
    assert revoked_at_edges(account) == set()


def test_own_key_stays_with_the_user(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    key = _pki.new_key()
    result = run(requests_folder(alice="DataEng", extra=own_csr(key)))
    assert by_user(result)["alice"]["delivery"] == "certificate"
    assert account.secret_names() == set()
    published = _pki.load_certificate(account.objects("users/")["users/alice/certificate.pem"])
    assert _pki.spki_sha256(published) == _pki.spki_sha256(key)
    assert run(requests_folder())["changed"] is False


def test_whoever_takes_a_key_of_their_own_is_not_handed_the_old_one(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    old = by_user(run(requests_folder(alice="DataEng")))["alice"]["serial"]
    assert account.secret_names()
    result = run(requests_folder(alice="DataEng", extra=own_csr()))
    assert by_user(result)["alice"]["delivery"] == "certificate"
    assert (account.secret_names(), revoked_at_edges(account)) == (set(), {old})


def own_csr(key: Any = None) -> str:
    """What alice's request says of a key of her own."""
    subject = {"common_name": "alice", "organizational_unit": "DataEng", "organization": "Platform"}
    pem = _pki.csr(subject, key or _pki.new_key()).decode()
    return "csr: |\n" + "".join(f"  {line}\n" for line in pem.splitlines())


def test_check_mode_tells_and_changes_nothing(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    run(requests_folder(alice="DataEng", bob="Analytics"))
    before = account.objects(), account.secret_names()
    folder = requests_folder(alice="Analytics", bob=None, carol="Audit")
    result = run(folder, check=True)
    assert (result["changed"], result["issued"], result["renewed"]) == (True, ["carol"], ["alice"])
    assert {entry["user"] for entry in result["revoked"]} == {"alice", "bob"}
    assert {entry["user"]: entry["action"] for entry in result["planned"]} == {"alice": "replaced", "carol": "issued"}
    assert (account.objects(), account.secret_names()) == before
    assert set(result["diff"]["after"]) == {"alice", "carol"}
    assert run(requests_folder(alice="DataEng", bob="Analytics", carol=None), check=True)["changed"] is False


def test_a_secret_that_is_gone_means_a_new_certificate(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    folder = requests_folder(alice="DataEng", bob="Analytics")
    old = by_user(run(folder))["alice"]["serial"]
    account.client("secretsmanager").delete_secret(SecretId="dataplatform/dev/users/alice/keystore")
    account.client("s3").delete_object(Bucket=BUCKET, Key="users/bob/certificate.pem")
    result = run(folder)
    assert (result["renewed"], result["changed"]) == (["alice"], True)
    assert by_user(result)["bob"]["status"] == "delivered"
    assert revoked_at_edges(account) == {old}
    assert _delivery.fetch(account.client("secretsmanager"), "dev", "alice")
    assert "users/bob/certificate.pem" in account.objects()
    assert run(folder)["changed"] is False


def test_a_certificate_revoked_at_the_ca_is_replaced(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    folder = requests_folder(alice="DataEng")
    old = by_user(run(folder))["alice"]["serial"]
    _acmpca.revoke(account.client("acm-pca"), account.ca_arn, old)
    result = run(folder)
    assert result["issued"] == ["alice"]
    assert revoked_at_edges(account) == {old}
    assert run(folder)["changed"] is False


def test_probes_are_kept_apart_and_leave_after_a_day(
    account: Account,
    requests_folder: Write,
    run: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = requests_folder(alice="DataEng")
    run(folder)
    pca, s3 = account.client("acm-pca"), account.client("s3")
    subject = {"common_name": "probe-revoked", "organizational_unit": "Verification", "organization": "Platform"}
    issued = _acmpca.issue(pca, account.ca_arn, _pki.csr(subject, _pki.new_key()), validity=dt.timedelta(hours=1))
    facts = _pki.describe(_pki.load_certificate(issued.certificate_pem))
    record = _registry.Record(
        user="probe-revoked",
        kind="probe",
        dn=facts["dn"],
        serial=facts["serial"],
        certificate_arn=issued.arn,
        not_before=facts["not_before"],
        not_after=facts["not_after"],
        request_sha256="",
        delivery="none",
    )
    _acmpca.revoke(pca, account.ca_arn, record.serial)
    _registry.record_revoked(s3, BUCKET, record, "UNSPECIFIED")
    assert revoked_at_edges(account) == {record.serial}
    result = run(folder)
    assert (result["changed"], result["unchanged"], result["revoked"]) == (False, ["alice"], [])
    assert revoked_at_edges(account) == {record.serial}
    assert record.key in account.objects()
    real = _pki.now
    monkeypatch.setattr(_pki, "now", lambda: real() + dt.timedelta(days=2))
    assert run(folder)["changed"] is False
    assert record.key not in account.objects()


def test_an_empty_folder_revokes_nobody_unless_told_to(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]]
) -> None:
    run(requests_folder(alice="DataEng"))
    folder = requests_folder(alice=None)
    with pytest.raises(_requests.RequestError, match="would revoke alice"):
        run(folder)
    assert revoked_at_edges(account) == set()
    assert [entry["user"] for entry in run(folder, allow_empty=True)["revoked"]] == ["alice"]


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


# The calls that one issue makes, in order: (module, name of the function).
STEPS = [
    (_issuance, "_request"),
    (_acmpca, "get"),
    (_registry, "make_record"),
    (_issuance, "_deliver_secret"),
    (_delivery, "ensure_secret"),
    (_registry, "put_certificate"),
    (_issuance, "deliver_certificate"),
    (_registry, "forget"),
]


# No secret is made for a user's own key.
CASES = [
    pytest.param(step, after, own_key, id=f"{'after' if after else 'before'}-{step[1]}{'-own-key' if own_key else ''}")
    for step in STEPS
    for after in (False, True)
    for own_key in (False, True)
    if not (own_key and step[1] in ("_deliver_secret", "ensure_secret"))
]


@pytest.mark.parametrize(("step", "after", "own_key"), CASES)
def test_a_kill_at_any_step_is_mended_by_the_next_run(
    account: Account,
    requests_folder: Write,
    run: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
    after: bool,
    own_key: bool,
) -> None:
    folder = requests_folder(alice="DataEng", extra=own_csr() if own_key else "")
    signed: set[str] = set()  # ARNs of all that the CA signed, whoever knows of it
    request_certificate = _acmpca.request_certificate
    monkeypatch.setattr(
        _acmpca, "request_certificate", lambda *rest: signed.add(arn := request_certificate(*rest)) or arn
    )
    module, name = step
    original = getattr(module, name)

    def killed(*arguments: Any, **options: Any) -> Any:
        if after:
            original(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, name, killed)
        with pytest.raises(Killed):
            run(folder)
    result = run(folder)
    assert result["errors"] == {}
    assert list(by_user(result)) == ["alice"]
    assert not account.objects("registry/pending/")
    # Every certificate that was signed is known, and only the one in use is not revoked.
    issued = serials_of(account, signed)
    live = issued - revoked_at_edges(account)
    assert live == {by_user(result)["alice"]["serial"]}
    assert {key.split("/")[-1][:-5] for key in account.objects("registry/users/")} == issued
    if not own_key:
        keystore, password, _version = _delivery.fetch(account.client("secretsmanager"), "dev", "alice")
        assert _pki.serial_hex(_pki.load_pkcs12(keystore, password)[1]) in live
    assert run(folder)["changed"] is False


@pytest.mark.parametrize(
    "step", [(_delivery, "ensure_secret"), (_registry, "put_certificate")], ids=lambda step: step[1]
)
def test_a_renewal_that_is_cut_off_leaves_the_certificate_that_is_in_use(
    account: Account,
    requests_folder: Write,
    run: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[Any, str],
) -> None:
    folder = requests_folder(alice="DataEng", expiry_days=90)
    old = by_user(run(folder))["alice"]["serial"]
    real, original = _pki.now, getattr(*step)

    def killed(*arguments: Any, **options: Any) -> Any:
        original(*arguments, **options)
        raise Killed

    monkeypatch.setattr(_pki, "now", lambda: real() + dt.timedelta(days=61))
    with monkeypatch.context() as patch:
        patch.setattr(*step, killed)
        with pytest.raises(Killed):
            run(folder)
    result = run(folder)
    assert result["renewed"] == ["alice"]
    assert old not in revoked_at_edges(account) | revoked_at_ca(account)
    monkeypatch.setattr(_pki, "now", real)  # by the CA's clock the new one is not old yet
    assert run(folder)["changed"] is False


def test_what_another_run_revoked_meanwhile_stays_on_the_list(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mallory = by_user(run(requests_folder(alice="DataEng", mallory="DataEng")))["mallory"]["serial"]
    observe = _issuance.observe

    def slowly(*arguments: Any) -> Any:
        monkeypatch.setattr(_issuance, "observe", observe)
        seen = observe(*arguments)
        run(requests_folder(mallory=None))
        return seen

    with_mallory = requests_folder()
    monkeypatch.setattr(_issuance, "observe", slowly)
    run(with_mallory)
    assert mallory in revoked_at_edges(account)


def test_what_cannot_be_settled_stops_nobody_else(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = by_user(run(requests_folder(bob="Analytics")))["bob"]["serial"]
    with monkeypatch.context() as patch:
        patch.setattr(_acmpca, "get", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            run(requests_folder(alice="DataEng"))
    assert account.objects("registry/pending/")

    def refused(*_arguments: Any) -> Any:
        raise _aws.AwsError("acm-pca get_certificate: RequestFailedException", "RequestFailedException")

    with monkeypatch.context() as patch:
        patch.setattr(_acmpca, "get", refused)
        result = run(requests_folder(bob=None))
    assert list(result["errors"]) == ["alice"]
    assert bob in revoked_at_edges(account)
    assert by_user(run(requests_folder()))["alice"]["status"] == "issued"


def serials_of(account: Account, arns: set[str]) -> set[str]:
    pca = account.client("acm-pca")
    issued = [_acmpca.get(pca, account.ca_arn, arn).certificate_pem for arn in arns]
    return {_pki.serial_hex(_pki.load_certificate(pem)) for pem in issued}


def test_one_users_failure_does_not_stop_the_others(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = _issuance._deliver_secret

    def refuse(account: Any, request: Any, *rest: Any) -> None:
        if request.user == "bob":
            raise _aws.AwsError("secretsmanager put_secret_value: AccessDeniedException", "AccessDeniedException")
        original(account, request, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(_issuance, "_deliver_secret", refuse)
        result = run(requests_folder(alice="DataEng", bob="Analytics"))
    assert list(result["errors"]) == ["bob"]
    assert list(by_user(result)) == ["alice"]
    assert "bob: secretsmanager" in _reconcile.failure(result["errors"])
    mended = run(requests_folder())
    assert list(by_user(mended)) == ["alice", "bob"]


def test_the_trust_store_follows_the_ca(
    account: Account, requests_folder: Write, run: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = (account.client("acm-pca"), account.client("s3"), account.client("elbv2"))

    def ensure(expected: list[str] | None = None, check: bool = False) -> _trust_store.Outcome:
        return _trust_store.ensure(
            clients,
            account.ca_arn,
            account.trust_store_arn,
            (BUCKET, _trust_store.COPY_KEY),
            expected or [],
            check=check,
        )

    assert ensure(check=True).changed
    assert _trust_store.list_revocations(clients[2], account.trust_store_arn) == []
    assert ensure().changed
    assert not ensure().changed
    assert ensure(["abc"]).pending == ["abc"]
    serial = by_user(run(requests_folder(alice="DataEng", bob="Analytics")))["bob"]["serial"]
    run(requests_folder(bob=None))
    outcome = ensure([serial])
    assert (outcome.changed, outcome.pending, outcome.serials) == (True, [], [serial])
    (identifier,) = _trust_store.list_revocations(clients[2], account.trust_store_arn)
    installed = _trust_store.read_revocation(clients[2], account.trust_store_arn, identifier)
    assert installed.crl is not None
    assert list(_pki.crl_serials(installed.crl)) == [serial]
    assert account.objects()[_trust_store.COPY_KEY].startswith(b"-----BEGIN X509 CRL")
    assert not ensure([serial]).changed
    # Six days later the copy is about to end: replaced, but only when the CA has a list that lasts longer.
    real = _pki.now
    monkeypatch.setattr(_pki, "now", lambda: real() + dt.timedelta(days=6))
    assert not ensure([serial]).changed
    described = _acmpca.describe_authority(clients[0], account.ca_arn)["RevocationConfiguration"]
    described["CrlConfiguration"]["ExpirationInDays"] = 30
    clients[0].update_certificate_authority(CertificateAuthorityArn=account.ca_arn, RevocationConfiguration=described)
    assert ensure([serial]).because.startswith("the list ends")
    assert not ensure([serial]).changed


def test_somebody_elses_list_is_refused(account: Account) -> None:
    crl = next(iter(account.objects("crl/")))
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    real = _pki.load_crl(account.objects()[crl])
    forged = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(real.issuer)
        .last_update(_pki.now())
        .next_update(_pki.now() + dt.timedelta(days=7))
        .sign(_pki.new_key(), hashes.SHA256())
    )
    account.client("s3").put_object(Bucket=BUCKET, Key=crl, Body=forged.public_bytes(serialization.Encoding.DER))
    with pytest.raises(_trust_store.TrustStoreError, match="is not signed by"):
        _trust_store.authority_crl(account.client("acm-pca"), account.client("s3"), account.ca_arn)
