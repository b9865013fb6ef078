# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Carrying out a plan: issue, deliver, revoke. Each step leaves a trace first, so that a kill at any point is mended.

The order for a key made here: note the request as pending, have it signed, write the record, deliver the secrets, mark
the record as delivered, forget the pending request. The next run settles what was left; see settle().

Private to this collection.
"""

from __future__ import annotations

import dataclasses
import typing as t
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _acmpca,
    _aws,
    _delivery,
    _dn,
    _pki,
    _plan,
    _registry,
    _requests,
)

# Failures that concern one user and must not stop the others.
ONE_USER = (_aws.AwsError, _pki.PkiError, _dn.DnError, _delivery.DeliveryError)
# What GetCertificate says of a request that will never be a certificate.
NEVER_SIGNED = ("RequestFailedException", "ResourceNotFoundException")


@dataclass(frozen=True)
class Account:
    """Where to work: clients of boto3 (acm-pca, s3, secretsmanager), the users' CA, bucket, and who may fetch keys."""

    env: str
    pca: t.Any
    s3: t.Any
    secrets: t.Any
    ca_arn: str
    bucket: str
    default_principal: str
    kms_key_id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)

    def principal(self, request: _requests.Request) -> str:
        """The ARN of who may fetch the key: the request's own, completed like the pickup role's, or the pickup role."""
        if not request.principal or request.principal.startswith("arn:"):
            return request.principal or self.default_principal
        return f"{self.default_principal.rsplit(':', 1)[0]}:{request.principal}"


@dataclass
class Outcome:
    """What was done. errors: text for each user that failed. users: user → record in use."""

    done: dict[str, str] = field(default_factory=dict)  # user → issued, renewed, replaced, delivered
    users: dict[str, _registry.Record] = field(default_factory=dict)
    revoked: list[dict[str, str]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    revocation_list: dict[str, t.Any] = field(default_factory=dict)


def authority_crl(account: Account) -> dict[str, str]:
    """Serials on the CA's own revocation list → when they were revoked; empty when it has none yet."""
    location = _acmpca.crl_location(_acmpca.describe_authority(account.pca, account.ca_arn))
    body = _registry.get_object(account.s3, *location) if location else None
    if not body:
        return {}
    return {serial: _pki.rfc3339(when) for serial, when in _pki.crl_serials(_pki.load_crl(body)).items()}


def observe(account: Account, requests: Iterable[_requests.Request], registry: _registry.Registry) -> _plan.Observed:
    """Look at the secrets of everybody who should have some, and at the CA's revocation list."""
    now = _pki.now()
    owners = []
    for request in requests:
        active = _plan.newest(registry.records.get(request.user, []), now, request.sha256)
        if active is not None and not request.revoked:
            owners.append((request, active))
    published = _registry.published(account.s3, account.bucket)

    def look(holder: tuple[_requests.Request, _registry.Record]) -> tuple[str, bool, list[str]]:
        request, active = holder
        if not _delivery.fits(account.secrets, account.env, request.user, active.serial):
            return request.user, True, []
        principal = account.principal(request)
        return request.user, False, _delivery.wrong_policies(account.secrets, account.env, request.user, principal)

    seen = _aws.in_parallel(look, [owner for owner in owners if owner[1].delivery == "secret"])
    return _plan.Observed(
        missing=frozenset(user for user, missing, names in seen if missing),
        wrong_policies={user: names for user, missing, names in seen if names},
        unpublished=frozenset(request.user for request, active in owners) - published,
        crl=authority_crl(account),
    )


def settle(account: Account, registry: _registry.Registry) -> tuple[_registry.Registry, dict[str, str]]:
    """End what a killed run began: learn of every certificate that it may have had signed.

    Returns the registry anew, and a text for each user for whom that failed.

    While the token lives, AWS answers the same request with the same certificate. Afterwards an unknown certificate may
    exist, without a key: that died with the process.
    """
    errors: dict[str, str] = {}
    if not registry.pending:
        return registry, errors

    def one(pending: _registry.Pending) -> None:
        try:
            settle_one(pending)
        except ONE_USER as error:
            errors[pending.user] = f"what an earlier run had begun: {error}"
            if getattr(error, "code", "") in NEVER_SIGNED:
                _registry.forget(account.s3, account.bucket, pending)

    def settle_one(pending: _registry.Pending) -> None:
        arn = pending.certificate_arn
        if arn is None and _pki.now() - _pki.parse_rfc3339(pending.started_at) < _acmpca.TOKEN_LIFETIME:
            arn = _request(account, pending)
        if arn is not None:
            issued = _acmpca.get(account.pca, account.ca_arn, arn)
            record = _registry.make_record(pending, issued.certificate_pem, arn)
            known = {known.serial for known in registry.records.get(pending.user, [])}
            if record.serial not in known:
                _registry.save(account.s3, account.bucket, record)
        _registry.forget(account.s3, account.bucket, pending)

    _aws.in_parallel(one, list(registry.pending.values()))
    return _registry.load(account.s3, account.bucket), errors


def _request(account: Account, pending: _registry.Pending) -> str:
    return _acmpca.request_certificate(
        account.pca, account.ca_arn, pending.csr, _acmpca.CLIENT_AUTH, pending.expiry_days, pending.token
    )


def obtain(account: Account, request: _requests.Request) -> _registry.Record:
    """Have one request signed and hand it over. Returns the record in use."""
    key = None if request.csr else _pki.new_key(request.key_type)
    csr = request.csr or _pki.csr(request.subject, t.cast("_pki.PrivateKey", key)).decode()
    # A new token for each attempt: with an older one AWS would return a certificate for a key that is lost.
    attempt = uuid.uuid4().hex
    pending = _registry.Pending(
        user=request.user,
        kind=request.kind,
        request_sha256=request.sha256,
        delivery="certificate" if request.csr else "secret",
        csr=csr,
        expiry_days=request.expiry_days,
        token=_acmpca.token(request.sha256, attempt),
        started_at=_pki.rfc3339(_pki.now()),
    )
    _registry.save(account.s3, account.bucket, pending)
    arn = _request(account, pending)
    _registry.save(account.s3, account.bucket, _with_arn(pending, arn))
    issued = _acmpca.get(account.pca, account.ca_arn, arn)
    _check(issued, csr, request)
    record = _registry.make_record(pending, issued.certificate_pem, arn)
    _registry.save(account.s3, account.bucket, record)
    if key is not None:
        _deliver_secret(account, request, issued, key, record.serial)
    record = deliver_certificate(account, record, issued)
    _registry.forget(account.s3, account.bucket, pending)
    return record


def _with_arn(pending: _registry.Pending, arn: str) -> _registry.Pending:
    return dataclasses.replace(pending, certificate_arn=arn)


def _check(issued: _acmpca.Issued, csr: str, request: _requests.Request) -> None:
    """The certificate is for the reviewed subject and for our key, whatever the CA was told."""
    certificate = _pki.load_certificate(issued.certificate_pem)
    if _dn.from_certificate(certificate) != request.subject:
        raise _pki.PkiError(
            f"the CA signed {_dn.from_certificate(certificate)}, the reviewed subject is {request.subject}"
        )
    if _pki.spki_sha256(certificate) != _pki.spki_sha256(_pki.load_csr(csr)):
        raise _pki.PkiError(f"{issued.arn} belongs to another key; run again")


def _deliver_secret(
    account: Account, request: _requests.Request, issued: _acmpca.Issued, key: t.Any, serial: str
) -> None:
    password = _pki.random_password()
    keystore = _pki.pkcs12(
        key,
        _pki.load_certificate(issued.certificate_pem),
        _pki.load_chain(issued.chain_pem) if issued.chain_pem else [],
        password,
        f"{request.user} ({account.env})",
    )
    tags = {**account.tags, "User": request.user}
    _delivery.put(
        account.secrets,
        account.env,
        request.user,
        serial,
        keystore,
        password,
        account.principal(request),
        tags,
        account.kms_key_id,
    )


def deliver_certificate(
    account: Account, record: _registry.Record, issued: _acmpca.Issued | None = None
) -> _registry.Record:
    """Publish the certificate in use, and note that the user can have it. Returns the record.

    Who has a key of their own now had, perhaps, one that was made here: it is handed over no more.
    """
    found = issued or _acmpca.get(account.pca, account.ca_arn, record.certificate_arn)
    _registry.put_certificate(account.s3, account.bucket, record.user, found)
    if record.delivery == "certificate":
        _delivery.delete(account.secrets, account.env, record.user)
    delivered = record.changed(delivered_at=_pki.rfc3339(_pki.now()))
    _registry.save(account.s3, account.bucket, delivered)
    return delivered


def revoke(account: Account, revocation: _plan.Revocation) -> _registry.Record:
    """Revoke one certificate at the CA and note it. Returns the record."""
    _acmpca.revoke(account.pca, account.ca_arn, revocation.record.serial, revocation.reason)
    record = revocation.record.changed(revoked_at=_pki.rfc3339(_pki.now()), revocation_reason=revocation.reason)
    _registry.save(account.s3, account.bucket, record)
    return record


def withdraw(account: Account, records: Iterable[_registry.Record], user: str) -> None:
    """Take key and certificate away from the places where they were handed over."""
    _delivery.delete(account.secrets, account.env, user)
    _registry.delete_certificate(account.s3, account.bucket, user)
    for record in records:
        if not record.withdrawn_at:
            _registry.save(account.s3, account.bucket, record.changed(withdrawn_at=_pki.rfc3339(_pki.now())))


class Run:
    """One pass over a plan; failures of one user are collected, the others go on."""

    def __init__(self, account: Account, registry: _registry.Registry, plan: _plan.Plan) -> None:
        self.account, self.plan = account, plan
        self.records = {record.key: record for record in registry.all()}
        self.outcome = Outcome(users=dict(plan.active))

    def each(self, items: Iterable[t.Any], user: Callable[[t.Any], str], step: Callable[[t.Any], None]) -> None:
        def guarded(item: t.Any) -> None:
            try:
                step(item)
            except ONE_USER as error:
                self.outcome.errors[user(item)] = str(error)

        _aws.in_parallel(guarded, list(items))

    def revoke(self, revocations: Iterable[_plan.Revocation]) -> None:
        def step(revocation: _plan.Revocation) -> None:
            record = revoke(self.account, revocation)
            self.records[record.key] = record
            self.outcome.revoked.append({"user": record.user, "serial": record.serial, "reason": revocation.reason})

        self.each(revocations, lambda revocation: revocation.record.user, step)

    def note(self, record: _registry.Record) -> None:
        _registry.save(self.account.s3, self.account.bucket, record)
        self.records[record.key] = record
        self.outcome.revoked.append({"user": record.user, "serial": record.serial, "reason": "UNSPECIFIED"})

    def withdraw(self, user: str) -> None:
        withdraw(self.account, [r for r in self.records.values() if r.user == user], user)

    def deliver(self, record: _registry.Record) -> None:
        delivered = deliver_certificate(self.account, record)
        self.records[delivered.key] = self.outcome.users[record.user] = delivered
        self.outcome.done[record.user] = "delivered"

    def obtain(self, step: _plan.Obtain) -> None:
        record = obtain(self.account, step.request)
        self.records[record.key] = self.outcome.users[record.user] = record
        self.outcome.done[record.user] = step.action

    def close(self, user: str, requests: dict[str, _requests.Request]) -> None:
        for name in self.plan.policies[user]:
            _delivery.put_policy(self.account.secrets, name, self.account.principal(requests[user]))

    def publish(self, crl: Iterable[str]) -> None:
        """Write the list for the edges with the time of now; say whether serials were added.

        What is on it stays until it has expired: another run may have revoked it since this one read the registry.
        """
        now = _pki.now()
        before = _registry.read_revocations(self.account.s3, self.account.bucket)
        serials = _registry.revoked_serials(self.records.values(), now) | set(crl)
        serials |= (before or set()) - _registry.expired_serials(self.records.values(), now)
        updated = _registry.publish_revocations(self.account.s3, self.account.bucket, serials, now)
        self.outcome.revocation_list = {
            "bucket": self.account.bucket,
            "key": _registry.REVOCATIONS,
            "updated": updated,
            "serials": len(serials),
            # Expired serials leave the list, and its time moves on, without a change that anybody made.
            "changed": before is None or bool(serials - before),
        }

    def run(self, requests: Iterable[_requests.Request], crl: Iterable[str]) -> Outcome:
        by_user = {request.user: request for request in requests}
        plan, errors = self.plan, self.outcome.errors
        # Taking away comes first, and is made known to the edges before anything else can fail.
        self.each(plan.note, lambda record: record.user, self.note)
        self.revoke(plan.revoke)
        self.publish(crl)
        changed = self.outcome.revocation_list["changed"]
        self.each([user for user in plan.withdraw if user not in errors], lambda user: user, self.withdraw)
        self.each(plan.deliver, lambda record: record.user, self.deliver)
        self.each(plan.obtain, lambda step: step.request.user, self.obtain)
        self.each(list(plan.policies), lambda user: user, lambda user: self.close(user, by_user))
        due = [r for r in plan.supersede if r.urgent or r.record.user not in errors]
        if due:
            self.revoke(due)
            self.publish(crl)
            self.outcome.revocation_list["changed"] |= changed
        return self.outcome
