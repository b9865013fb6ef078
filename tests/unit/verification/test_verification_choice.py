"""Whose probe makes which check: by rights, since what roles are called is the user's choice."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _choice, _probes, _refusals, _run
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import KeyPair, Response

ROOT = Path(__file__).resolve().parents[3]
NIFI = {
    "look": [{"resource": "/process-groups/root", "actions": ["read"]}],
    "change": [{"resource": "/process-groups/root", "actions": ["read", "write"]}],
    "manage": [
        {"resource": "/process-groups/root", "actions": ["read", "write"]},
        {"resource": "/tenants", "actions": ["read", "write"]},
    ],
    "nothing": [],
}


def access(*roles: tuple[str, str, list[str]]) -> dict[str, Any]:
    """Of roles: name, rights in NiFi, roles in Airflow."""
    return {
        "rules": [{"role": name, "match": {"organizational_unit": f"Unit-{name}"}} for name, _nifi, _airflow in roles],
        "roles": {name: {"nifi": NIFI[nifi], "airflow": airflow} for name, nifi, airflow in roles},
        "probes": {name: {"enabled": True, "subject": subject(name)} for name, _nifi, _airflow in roles},
    }


def subject(name: str) -> dict[str, str]:
    return {"common_name": f"probe-{name}", "organizational_unit": f"Unit-{name}", "organization": "Platform"}


def issued(of: dict[str, Any]) -> dict[str, Any]:
    return {role: role for role, probe in of["probes"].items() if probe["enabled"]}


OWN_NAMES = access(
    ("chief", "manage", ["Admin"]), ("builder", "change", ["User"]), ("reader", "look", ["Viewer"]),
    ("feeder", "nothing", []),
)  # fmt: skip


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_the_shipped_roles(env):
    """An administrator's name can be claimed where the administrator has no probe, too."""
    shipped = yaml.safe_load((ROOT / "inventories" / env / "group_vars" / "all" / "access.yml").read_text())["access"]
    probes = issued(shipped)
    assert _choice.impostor(shipped, probes) == _choice.airflow_impostor(shipped, probes) == "viewer"
    assert (_choice.writer(shipped, probes), _choice.airflow_writer(shipped, probes)) == ("engineer", "operator")
    assert _choice.claimed(shipped, "viewer") == "CN=probe-admin,OU=PlatformAdmins,O=Platform"


def test_roles_of_any_name():
    probes = issued(OWN_NAMES)
    assert _choice.impostor(OWN_NAMES, probes) == _choice.airflow_impostor(OWN_NAMES, probes) == "reader"
    assert _choice.writer(OWN_NAMES, probes) == _choice.airflow_writer(OWN_NAMES, probes) == "builder"
    assert _choice.claimed(OWN_NAMES, "reader") == "CN=probe-chief,OU=Unit-chief,O=Platform"


def test_who_manages_users_proves_nothing_by_being_let_in():
    alone = access(("chief", "manage", ["Admin"]), ("feeder", "nothing", []))
    probes = issued(alone)
    assert (_choice.impostor(alone, probes), _choice.airflow_impostor(alone, probes)) == (None, None)
    assert (_choice.writer(alone, probes), _choice.airflow_writer(alone, probes)) == ("chief", "feeder")


def verify(monkeypatch: pytest.MonkeyPatch, of: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The whole verification, where every door is shut for everybody."""
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)

    def issue(_client: Any, _ca: str, one: dict[str, str], *_lifetime: Any) -> _probes.Probe:
        dn = f"CN={one['common_name']},OU={one['organizational_unit']},O={one['organization']}"
        return _probes.Probe(KeyPair(dn.encode(), b""), dn, "1f", "arn", past, past)

    monkeypatch.setattr(_probes, "issue", issue)
    monkeypatch.setattr(_probes, "self_made", lambda one: KeyPair(one["common_name"].encode(), b""))
    shut = SimpleNamespace(
        origin="https://nifi.test", request=lambda *_given, **_more: Response(403, {"x-edge-refused": "shut"}, b"")
    )
    inputs = _run.Inputs(
        endpoint=shut, airflow=shut, ingest=shut, acmpca=None, users_ca_arn="", access=of, users=[], nifi={}, ports=[],
        attempts=[], revoke=lambda _probe: None, refresh_trust_store=lambda _serial: False, issued=lambda _user: {},
        revocation_seconds=-1, balancer_seconds=-1, **more,
    )  # fmt: skip
    return {check.name: check for check in _run.run(inputs).done}


def test_a_verification_without_any_probe_is_made_and_says_what_it_left_out(monkeypatch):
    nobody: dict[str, Any] = {"rules": [], "roles": {}}
    found = verify(monkeypatch, nobody)
    assert found["refused:no-certificate"].status == "failed"  # the door is shut, but not in the handshake
    assert found["refused:other-ca"].subject == "probe-other-ca"
    left_out = {name for name, check in found.items() if check.status == "skipped"}
    kinds = (
        "spoofed-",
        "cross-site-",
        "airflow-spoofed-",
        "airflow-cross-site-",
        "airflow-foreign-",
        "ingest-spoofed-",
    )
    assert all([name for name in left_out if name.startswith(f"refused:{kind}")] for kind in kinds)
    assert {"ingest:producer", "refused:ingest-read", "refused:airflow-task-interface"} <= left_out
    assert {found[name].observed for name in left_out} == {"not checked: no probe"}


def test_a_verification_with_roles_of_own_names_leaves_nothing_out(monkeypatch):
    tried: list[tuple[str, str]] = []

    def spoofed(_end: Any, _pair: Any, own: str, claimed: str, _how: str) -> Outcome:
        tried.append((own, claimed))
        return Outcome("refused")

    monkeypatch.setattr(_refusals, "check_spoofed", spoofed)
    found = verify(monkeypatch, OWN_NAMES, ingest_roles=["feeder"])
    reader, chief = (f"CN=probe-{name},OU=Unit-{name},O=Platform" for name in ("reader", "chief"))
    assert set(tried) == {(reader, chief)}
    assert not [name for name, check in found.items() if check.status == "skipped"]
    assert found["refused:other-ca"].subject == "probe-chief"
    assert {"ingest:feeder", "refused:ingest-reader", "refused:ingest-spoofed-dashes"} <= set(found)
    assert "refused:ingest-feeder" not in found
