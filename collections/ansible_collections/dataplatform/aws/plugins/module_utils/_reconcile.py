# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a directory of requests to certificates, and the results that modules return. Private to this collection."""

from __future__ import annotations

import datetime as dt
import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _dn,
    _issuance,
    _pki,
    _plan,
    _registry,
    _requests,
)


def _account(clients: tuple[t.Any, ...], options: Mapping[str, t.Any]) -> _issuance.Account:
    pca, s3, secrets = clients
    return _issuance.Account(
        env=options["env"],
        pca=pca,
        s3=s3,
        secrets=secrets,
        ca_arn=options["certificate_authority_arn"],
        bucket=options["bucket"],
        default_principal=options["pickup_principal"],
        kms_key_id=options["kms_key_id"],
        tags={key: str(value) for key, value in options["tags"].items()},
    )


def _load(options: Mapping[str, t.Any], account_id: str | None) -> list[_requests.Request]:
    return _requests.load_directory(options["directory"], options["env"], account_id)


def _refuse_emptiness(
    requests: list[_requests.Request], registry: _registry.Registry, options: Mapping[str, t.Any]
) -> None:
    now = _pki.now()
    users = sorted({record.user for record in registry.all() if record.live(now) and not record.probe})
    if not requests and users and not options["allow_empty"]:
        raise _requests.RequestError(
            [
                f"{options['directory']}: holds no request, which would revoke {', '.join(users)}; "
                "check the folder, or set allow_empty"
            ]
        )


def reconcile(clients: tuple[t.Any, ...], options: Mapping[str, t.Any], check: bool) -> dict[str, t.Any]:
    """Do, or in check mode only find out, what certificate_requests does. Returns its result with `errors` by user."""
    account = _account(clients, options)
    _dn.check_rules(options["rules"])
    requests = _load(options, account.ca_arn.split(":")[4])
    registry = _registry.load(account.s3, account.bucket)
    _refuse_emptiness(requests, registry, options)
    unfinished = bool(registry.pending)
    unsettled: dict[str, str] = {}
    if not check:
        registry, unsettled = _issuance.settle(account, registry)
    observed = _issuance.observe(account, requests, registry)
    now = _pki.now()
    plan = _plan.make(requests, registry, now, dt.timedelta(days=options["renew_before_days"]), observed)
    diff = _plan.diff(plan, registry, now)
    if check:
        result = _predicted(plan, options["rules"], unfinished)
        records = registry.all()
    else:
        run = _issuance.Run(account, registry, plan)
        outcome = run.run(requests, observed.crl)
        still = {user: text for user, text in unsettled.items() if user not in outcome.done}
        outcome.errors = {**still, **outcome.errors}
        _registry.prune(account.s3, account.bucket, registry.all(), now)
        result = _done(outcome, options["rules"], unfinished or plan.changes)
        records = list(run.records.values())
    serials = _registry.revoked_serials(records, now) | set(observed.crl)
    return {**result, "revoked_serials": sorted(serials), "diff": diff}


def _predicted(plan: _plan.Plan, rules: list[dict[str, t.Any]], unfinished: bool) -> dict[str, t.Any]:
    actions = {step.request.user: step.action for step in plan.obtain}
    return {
        "changed": plan.changes or unfinished,
        "issued": sorted(user for user, action in actions.items() if action == "issued"),
        "renewed": sorted(user for user, action in actions.items() if action != "issued"),
        "revoked": [
            {"user": r.record.user, "serial": r.record.serial, "reason": r.reason}
            for r in (*plan.revoke, *plan.supersede)
        ],
        "unchanged": sorted(set(plan.active) - set(actions)),
        "users": _users(plan.active, actions, rules),
        "planned": [{"user": s.request.user, "action": s.action, "because": s.because} for s in plan.obtain],
        "errors": {},
    }


def _done(outcome: _issuance.Outcome, rules: list[dict[str, t.Any]], changes: bool) -> dict[str, t.Any]:
    done = outcome.done
    return {
        "changed": changes or bool(outcome.revocation_list.get("changed")),
        "issued": sorted(user for user, action in done.items() if action == "issued"),
        "renewed": sorted(user for user, action in done.items() if action in ("renewed", "replaced")),
        "revoked": sorted(outcome.revoked, key=lambda entry: (entry["user"], entry["serial"])),
        "unchanged": sorted(set(outcome.users) - set(done)),
        "users": _users(outcome.users, done, rules),
        "revocation_list": outcome.revocation_list,
        "errors": outcome.errors,
    }


def _users(
    active: Mapping[str, _registry.Record], actions: Mapping[str, str], rules: list[dict[str, t.Any]]
) -> list[dict[str, t.Any]]:
    return [
        {**summary(record, rules), "status": actions.get(user, "unchanged")} for user, record in sorted(active.items())
    ]


def summary(record: _registry.Record, rules: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """What results tell about a user with a certificate."""
    return {
        "user": record.user,
        "kind": record.kind,
        "dn": record.dn,
        "role": _dn.match(_dn.parse(record.dn), rules),
        "serial": record.serial,
        "not_before": record.not_before,
        "expires": record.not_after,
        "certificate_arn": record.certificate_arn,
        "delivery": record.delivery,
    }


def failure(errors: Mapping[str, str]) -> str:
    """One message for all users that failed."""
    lines = [f"{user}: {text}" for user, text in sorted(errors.items())]
    return "\n".join(["certificates could not be brought up to date; all others were:", *lines])


def look(s3: t.Any, options: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What certificate_requests_info returns: requests (with a directory) joined with certificates (with a bucket)."""
    now, rules = _pki.now(), options["rules"]
    _dn.check_rules(rules)
    requests = _load(options, None) if options["directory"] else None
    records = _registry.load(s3, options["bucket"]).records if options["bucket"] else {}
    result: dict[str, t.Any] = {
        "certificates": [
            {**vars(record), "valid": record.live(now)} for user in sorted(records) for record in records[user]
        ]
    }
    if requests is None:
        newest = {user: _plan.newest(found, now) for user, found in records.items()}
        users = [summary(record, rules) for user, record in sorted(newest.items()) if record and not record.probe]
        return {**result, "users": users, "revoked_users": _revoked(records, users)}
    users = [_requested(request, records, now, rules) for request in requests if not request.revoked]
    return {**result, "users": users, "revoked_users": sorted(r.user for r in requests if r.revoked)}


def _revoked(records: Iterable[str], users: list[dict[str, t.Any]]) -> list[str]:
    return sorted({user for user in records if not user.startswith(_dn.PROBE_PREFIX)} - {u["user"] for u in users})


def _requested(
    request: _requests.Request,
    records: Mapping[str, list[_registry.Record]],
    now: dt.datetime,
    rules: list[dict[str, t.Any]],
) -> dict[str, t.Any]:
    record = _plan.newest(records.get(request.user, []), now, request.sha256)
    if record is not None:
        return {**summary(record, rules), "file": request.file}
    dn = request.subject
    nothing = dict.fromkeys(("serial", "not_before", "expires", "certificate_arn"))
    return {
        "user": request.user,
        "kind": request.kind,
        "dn": dn.rfc4514(),
        "role": _dn.match(dn, rules),
        **nothing,
        "delivery": "certificate" if request.csr else "secret",
        "file": request.file,
    }
