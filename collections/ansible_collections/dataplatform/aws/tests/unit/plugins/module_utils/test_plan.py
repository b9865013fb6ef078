"""What has to be done: decided from requests, records and what lies in AWS, without any call."""

from __future__ import annotations

import datetime as dt
import typing as t

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _pki, _plan, _registry, _requests

NOW = dt.datetime(2026, 6, 1, tzinfo=dt.timezone.utc)
MONTH = dt.timedelta(days=30)


def request(user: str = "alice", **values: t.Any) -> _requests.Request:
    subject = {"common_name": user, "organizational_unit": "DataEng", "organization": "Platform"}
    defaults = {"env": "dev", "subject": _dn.from_subject(subject), "expiry_days": 180, "file": f"dev/{user}.yaml"}
    return _requests.Request(user=user, **{**defaults, **values})


def record(
    of: _requests.Request, serial: str = "1", start: int = -10, days: int = 180, **values: t.Any
) -> _registry.Record:
    begin = NOW + dt.timedelta(days=start)
    defaults = {
        "user": of.user,
        "kind": of.kind,
        "dn": of.subject.rfc4514(),
        "serial": serial,
        "certificate_arn": f"arn/{serial}",
        "not_before": _pki.rfc3339(begin),
        "not_after": _pki.rfc3339(begin + dt.timedelta(days=days)),
        "request_sha256": of.sha256,
        "delivered_at": _pki.rfc3339(begin),
    }
    return _registry.Record(**{**defaults, **values})


def plan(
    requests: list[_requests.Request], records: list[_registry.Record], now: dt.datetime = NOW, **observed: t.Any
) -> _plan.Plan:
    by_user: dict[str, list[_registry.Record]] = {}
    for entry in records:
        by_user.setdefault(entry.user, []).append(entry)
    return _plan.make(requests, _registry.Registry(by_user, {}), now, MONTH, _plan.Observed(**observed))


def actions(made: _plan.Plan) -> list[tuple[str, str]]:
    return [(step.request.user, step.action) for step in made.obtain]


def test_agreement_needs_nothing() -> None:
    made = plan([request()], [record(request())])
    assert not made.changes
    assert list(made.active) == ["alice"]


def test_a_new_user_gets_a_certificate() -> None:
    assert actions(plan([request()], [])) == [("alice", "issued")]


@pytest.mark.parametrize(("days", "age", "due"), [(180, 149, False), (180, 150, True), (30, 19, False), (30, 20, True)])
def test_renewal_is_a_month_or_a_third_before_the_end(days: int, age: int, due: bool) -> None:
    made = plan([request()], [record(request(), start=-age, days=days)])
    assert actions(made) == ([("alice", "renewed")] if due else [])
    assert (made.revoke, made.supersede) == ([], [])
    assert list(made.active) == ["alice"]


def test_an_expired_certificate_is_issued_again_and_not_revoked() -> None:
    made = plan([request()], [record(request(), start=-200)])
    assert actions(made) == [("alice", "issued")]
    assert (made.revoke, made.supersede) == ([], [])


def test_another_subject_is_revoked_even_when_the_new_certificate_fails() -> None:
    other = request(subject=_dn.parse("CN=alice,OU=Analytics,O=Platform"))
    made = plan([other], [record(request())])
    assert actions(made) == [("alice", "replaced")]
    assert [(r.record.serial, r.reason, r.urgent) for r in made.supersede] == [("1", "SUPERSEDED", True)]


def test_another_lifetime_waits_for_the_new_certificate() -> None:
    made = plan([request(expiry_days=30)], [record(request())])
    assert [r.urgent for r in made.supersede] == [False]


def test_a_kill_before_the_revocation_of_the_old_one_is_mended() -> None:
    other = request(expiry_days=30)
    made = plan([other], [record(request(), "1"), record(other, "2", days=30)])
    assert actions(made) == []
    assert [r.record.serial for r in made.supersede] == ["1"]


@pytest.mark.parametrize("how", ["gone", "revoked"])
def test_gone_and_revoked_users_lose_everything(how: str) -> None:
    requests = [request(revoked=True, revocation_reason="KEY_COMPROMISE")] if how == "revoked" else []
    made = plan(requests, [record(request(), "1"), record(request(), "2"), record(request(), "0", start=-400)])
    reason = "KEY_COMPROMISE" if how == "revoked" else "CESSATION_OF_OPERATION"
    assert [(r.record.serial, r.reason) for r in made.revoke] == [("1", reason), ("2", reason)]
    assert made.withdraw == ["alice"]
    done = [
        record(request(), serial, revoked_at="2026-05-01T00:00:00Z", withdrawn_at="2026-05-01T00:00:00Z")
        for serial in "12"
    ]
    assert not plan(requests, done).changes


def test_probes_are_nobodys_business() -> None:
    assert not plan([], [record(request("probe-viewer"))]).changes


def test_a_key_that_died_with_its_process_is_revoked_and_made_anew() -> None:
    made = plan([request()], [record(request(), delivered_at=None)])
    assert [r.record.serial for r in made.revoke] == ["1"]
    assert actions(made) == [("alice", "issued")]


def test_a_users_own_key_is_delivered_after_a_kill() -> None:
    made = plan([request()], [record(request(), delivered_at=None, delivery="certificate")])
    assert (made.revoke, made.obtain) == ([], [])
    assert [r.serial for r in made.deliver] == ["1"]


def test_lost_secrets_and_open_secrets_and_lost_objects() -> None:
    made = plan([request()], [record(request())], missing=frozenset({"alice"}))
    assert actions(made) == [("alice", "replaced")]
    assert [(r.record.serial, r.urgent) for r in made.supersede] == [("1", False)]
    made = plan([request()], [record(request())], wrong_policies={"alice": ["x"]})
    assert (made.obtain, made.policies) == ([], {"alice": ["x"]})
    made = plan([request()], [record(request())], unpublished=frozenset({"alice"}))
    assert [r.serial for r in made.deliver] == ["1"]


def test_what_the_ca_revoked_is_noted() -> None:
    made = plan([request()], [record(request())], crl={"1": "2026-05-30T00:00:00Z"})
    assert [r.revoked_at for r in made.note] == ["2026-05-30T00:00:00Z"]
    assert actions(made) == [("alice", "issued")]
    assert made.revoke == []


def test_revoked_serials_leave_the_list_a_day_after_they_expire() -> None:
    entry = record(request(), "a", start=-10, days=5, revoked_at="2026-05-25T00:00:00Z")
    assert _registry.revoked_serials([entry], entry.expires + dt.timedelta(hours=23)) == {"a"}
    assert _registry.revoked_serials([entry], entry.expires + dt.timedelta(hours=25)) == set()
