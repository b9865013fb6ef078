# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reviewed requests and issued certificates: what has to be done so that they agree. No calls are made here.

Private to this collection.
"""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _pki, _registry, _requests

SUPERSEDED = "SUPERSEDED"


@dataclass(frozen=True)
class Revocation:
    """A certificate to revoke. urgent: also when the new one could not be made (its subject is not the reviewed one)."""

    record: _registry.Record
    reason: str
    urgent: bool = True


@dataclass(frozen=True)
class Obtain:
    """A certificate to make. action: issued (the first), renewed (the old one stays until it expires), or replaced."""

    request: _requests.Request
    action: str
    because: str


@dataclass(frozen=True)
class Observed:
    """What lies in AWS besides the registry.

    missing: users whose secrets are gone or hold another certificate. wrong_policies: user → names of secrets that
    somebody else may read. unpublished: users whose certificate object is gone. crl: serials on the CA's own list →
    when they were revoked.
    """

    missing: frozenset[str] = frozenset()
    wrong_policies: Mapping[str, list[str]] = field(default_factory=dict)
    unpublished: frozenset[str] = frozenset()
    crl: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Plan:
    """What has to be done, in this order.

    note: records that the CA's list shows as revoked. revoke: now. withdraw: users whose secrets go. deliver:
    certificates to publish. obtain: certificates to make. policies: user → secrets to close.
    supersede: certificates to revoke after their users have new ones. active: user → record in use now.
    """

    note: list[_registry.Record] = field(default_factory=list)
    revoke: list[Revocation] = field(default_factory=list)
    withdraw: list[str] = field(default_factory=list)
    deliver: list[_registry.Record] = field(default_factory=list)
    obtain: list[Obtain] = field(default_factory=list)
    policies: dict[str, list[str]] = field(default_factory=dict)
    supersede: list[Revocation] = field(default_factory=list)
    active: dict[str, _registry.Record] = field(default_factory=dict)

    @property
    def changes(self) -> bool:
        return any((self.note, self.revoke, self.withdraw, self.deliver, self.obtain, self.policies, self.supersede))


def renewal_due(record: _registry.Record, now: dt.datetime, renew_before: dt.timedelta) -> bool:
    """Whether less than renew_before is left, or than a third of the lifetime where that is shorter."""
    lifetime = record.expires - _pki.parse_rfc3339(record.not_before)
    return now >= record.expires - min(renew_before, lifetime / 3)


def newest(records: Iterable[_registry.Record], now: dt.datetime, sha256: str | None = None) -> _registry.Record | None:
    """The delivered certificate that lasts longest, or came last, of this reviewed request (None: of any)."""
    found = [r for r in records if r.live(now) and r.delivered_at and sha256 in (None, r.request_sha256)]
    return max(found, key=lambda record: (record.not_after, record.delivered_at or ""), default=None)


def _plan_user(
    plan: Plan,
    request: _requests.Request,
    records: list[_registry.Record],
    now: dt.datetime,
    renew_before: dt.timedelta,
    observed: Observed,
) -> None:
    user, sha256 = request.user, request.sha256
    active = newest(records, now, sha256)
    lost = active is not None and user in observed.missing
    undelivered = [r for r in records if r.live(now) and not r.delivered_at]
    publishable = [r for r in undelivered if r.delivery == "certificate" and r.request_sha256 == sha256]
    if active is None and publishable:
        active = publishable[-1]
        plan.deliver.append(active)
    # A kill between issue and delivery lost this key with the process that had made it.
    for record in undelivered:
        if record is not active:
            plan.revoke.append(Revocation(record, SUPERSEDED))
    old = [r for r in records if r.live(now) and r.delivered_at and r.request_sha256 != sha256]
    for record in old:
        urgent = _dn.parse(record.dn) != request.subject
        plan.supersede.append(Revocation(record, SUPERSEDED, urgent))
    if active is None:
        because = "the reviewed request changed" if old else "no valid certificate"
        plan.obtain.append(Obtain(request, "replaced" if old else "issued", because))
    elif lost and renewal_due(active, now, renew_before) and any(r.request_sha256 == sha256 for r in undelivered):
        # (Cut off after the secrets. The one before is in use until then, as with every renewal.)
        plan.obtain.append(Obtain(request, "renewed", "its renewal was cut off"))
    elif lost:
        plan.obtain.append(Obtain(request, "replaced", "its secrets are gone or changed"))
        plan.supersede.append(Revocation(active, SUPERSEDED, urgent=False))
    elif renewal_due(active, now, renew_before):
        plan.obtain.append(Obtain(request, "renewed", f"expires {active.not_after}"))
    elif user in observed.unpublished and active not in plan.deliver:
        plan.deliver.append(active)
    if active is not None:
        plan.active[user] = active
        if user in observed.wrong_policies:
            plan.policies[user] = list(observed.wrong_policies[user])


def make(
    requests: Iterable[_requests.Request],
    registry: _registry.Registry,
    now: dt.datetime,
    renew_before: dt.timedelta,
    observed: Observed | None = None,
) -> Plan:
    """Compare; see Plan. Users that are probes are passed over: they are no requests, and end within the hour."""
    plan, observed = Plan(), observed or Observed()
    records: dict[str, list[_registry.Record]] = {}
    for user, found in registry.records.items():
        records[user] = []
        for record in found:
            if record.revoked_at is None and record.serial in observed.crl:
                record = record.changed(revoked_at=observed.crl[record.serial], revocation_reason="UNSPECIFIED")
                plan.note.append(record)
            records[user].append(record)
    wanted = {request.user: request for request in requests}
    for user in sorted(set(records) | set(wanted)):
        request = wanted.get(user)
        if request is not None and not request.revoked:
            _plan_user(plan, request, records.get(user, []), now, renew_before, observed)
        elif not user.startswith(_dn.PROBE_PREFIX):
            reason = request.revocation_reason if request else "CESSATION_OF_OPERATION"
            plan.revoke.extend(Revocation(r, reason) for r in records.get(user, []) if r.live(now))
            if any(r.delivered_at and not r.withdrawn_at for r in records.get(user, [])):
                plan.withdraw.append(user)
    return plan


def diff(plan: Plan, registry: _registry.Registry, now: dt.datetime) -> dict[str, dict[str, t.Any]]:
    """Before and after for Ansible's diff: certificates by user, without anything secret."""
    before = {
        user: {r.serial: f"{r.dn}, expires {r.not_after}" for r in records if r.live(now)}
        for user, records in registry.records.items()
    }
    after = {user: dict(serials) for user, serials in before.items()}
    revoked = [r.record for r in (*plan.revoke, *plan.supersede)] + plan.note
    for record in revoked:
        after.get(record.user, {}).pop(record.serial, None)
    for step in plan.obtain:
        days = step.request.expiry_days
        after.setdefault(step.request.user, {})["(new)"] = f"{step.request.subject}, for {days} days"
    return {
        "before": {user: serials for user, serials in sorted(before.items()) if serials},
        "after": {user: serials for user, serials in sorted(after.items()) if serials},
    }
