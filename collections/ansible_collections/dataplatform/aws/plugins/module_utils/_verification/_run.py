# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole verification, in an order that lets the slow proofs (lapse, revocation) ripen while others run."""

from __future__ import annotations

import datetime as dt
import typing as t
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import (
    _choice,
    _doors,
    _ingest,
    _network,
    _probes,
    _refusals,
    _roles,
    _users,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import (
    PENDING,
    CheckFailed,
    Checks,
    Outcome,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint


@dataclass
class Inputs:
    """What a verification needs; every field public data but for the clients.

    ``revoke(probe)`` revokes a certificate of the users' CA and puts its serial on the edges' list;
    ``refresh_trust_store(serial)`` puts a revocation list that holds the serial into the balancer's trust store and
    returns False while the CA has not written one yet; ``issued(user)`` reads DN and serial from the certificate.
    """

    endpoint: Endpoint
    acmpca: t.Any
    users_ca_arn: str
    access: t.Mapping[str, t.Any]
    users: t.Sequence[t.Mapping[str, t.Any]]
    nifi: t.Mapping[str, t.Any]
    ports: t.Sequence[_network.Port]
    attempts: t.Sequence[t.Mapping[str, t.Any]]
    revoke: t.Callable[[_probes.Probe], None]
    refresh_trust_store: t.Callable[[str], bool]
    issued: t.Callable[[t.Mapping[str, t.Any]], t.Mapping[str, str]]
    revocation_seconds: float = 100.0
    balancer_seconds: float = 30.0
    # Platforms without Airflow, or without producers, have no such door.
    airflow: Endpoint | None = None
    ingest: Endpoint | None = None
    ingest_roles: t.Sequence[str] = (_ingest.ROLE,)


def run(inputs: Inputs) -> Checks:
    """Make every check; none stops the others."""
    checks = Checks()
    probes = _issue_role_probes(inputs, checks)
    lapsing = _ripening(inputs, checks, "lapsing", _probes.SHORT_LIFETIME)
    if lapsing and inputs.airflow:
        _doors.check_unknown(inputs.airflow, checks, lapsing)
    revoked = _ripening(inputs, checks, "revoked", _probes.LIFETIME)
    if revoked:
        checks.run("revoke", revoked.dn, "revoked", _revoke, inputs, revoked)
    for role, probe in probes.items():
        _check_role(inputs, checks, role, probe)
    _check_handshakes(inputs, checks)
    _check_spoofing(inputs, checks, probes)
    _check_cross_site(inputs, checks, probes)
    _check_reserved(inputs, checks)
    if inputs.airflow:
        _doors.check_airflow(inputs.airflow, checks, inputs.access, probes)
    if inputs.ingest:
        _doors.check_ingest(inputs.ingest, checks, probes, inputs.ingest_roles)
    _check_reach(inputs, checks)
    for user in inputs.users:
        _check_user(inputs, checks, user)
    if revoked:
        _check_revocation(inputs, checks, revoked)
    if lapsing:
        expected = "refused in the handshake after its two minutes"
        over = lapsing.not_after.timestamp()
        checks.run("refused:lapsed", lapsing.dn, expected, _refusals.check_lapsed, inputs.endpoint, lapsing.pair, over)
    return checks


def _issue_role_probes(inputs: Inputs, checks: Checks) -> dict[str, _probes.Probe]:
    probes: dict[str, _probes.Probe] = {}
    for role, probe in _choice.declared(inputs.access).items():
        if probe.get("enabled", True):
            expected = "a one-hour certificate that the rules map to this role"
            checks.run(f"probe:{role}", role, expected, _issue_role_probe, inputs, role, probe["subject"], probes)
    return probes


def _issue_role_probe(
    inputs: Inputs, role: str, subject: t.Mapping[str, str], probes: dict[str, _probes.Probe]
) -> Outcome:
    probe = _probes.issue(inputs.acmpca, inputs.users_ca_arn, subject)
    mapped = _dn.match(_dn.parse(probe.dn), inputs.access["rules"])
    if mapped != role:
        raise CheckFailed(f"mapped to {mapped}", "change the probe's subject in access.yml")
    probes[role] = probe
    return Outcome(f"serial {probe.serial}")


def _ripening(inputs: Inputs, checks: Checks, kind: str, lifetime: dt.timedelta) -> _probes.Probe | None:
    """A certificate that works now (checked) and must not work later."""
    made: list[_probes.Probe] = []
    expected = "a good certificate passes, before it is made bad"
    checks.run(f"accepted:{kind}", f"probe-{kind}", expected, _accepted, inputs, kind, lifetime, made)
    return made[0] if made else None


def _accepted(inputs: Inputs, kind: str, lifetime: dt.timedelta, made: list[_probes.Probe]) -> Outcome:
    probe = _probes.issue(inputs.acmpca, inputs.users_ca_arn, _subject(kind), lifetime)
    answer = _roles.current_user(inputs.endpoint, probe.pair)
    # It has no role, so NiFi answers 403 by itself or 200 for a user without rights. The edge's own refusals differ.
    if _refusals.by_edge(answer):
        raise CheckFailed(f"refused by the edge (HTTP {answer.status})")
    made.append(probe)
    return Outcome(f"passes balancer and edge (HTTP {answer.status})")


def _subject(kind: str) -> dict[str, str]:
    return {"common_name": f"probe-{kind}", "organizational_unit": "Verification", "organization": "Platform"}


def _revoke(inputs: Inputs, probe: _probes.Probe) -> Outcome:
    inputs.revoke(probe)
    return Outcome(f"serial {probe.serial}")


def _check_role(inputs: Inputs, checks: Checks, role: str, probe: _probes.Probe) -> None:
    declared = inputs.access["roles"][role]
    may_write = _roles.declared(declared, "/process-groups/root", "write")
    end, pair, dn = inputs.endpoint, probe.pair, probe.dn
    if not declared.get("nifi"):
        checks.run(f"refused:nifi-{role}", dn, "refused by NiFi (403)", _roles.check_no_rights, end, pair)
        return
    writes = "may change the flow" if may_write else "refused by NiFi (403)"
    checks.run(f"login:{role}", dn, f"logged in as {dn}", _roles.check_identity, end, pair, dn)
    checks.run(f"read:{role}", dn, "the canvas opens", _roles.check_read, end, pair)
    checks.run(f"write:{role}", dn, writes, _roles.check_write, end, pair, may_write)
    checks.run(f"permissions:{role}", dn, "as declared", _roles.check_permissions, end, pair, declared)


def _check_handshakes(inputs: Inputs, checks: Checks) -> None:
    end, check, refused = inputs.endpoint, _refusals.check_handshake_refused, "refused in the handshake"
    checks.run("refused:no-certificate", "nobody", refused, check, end, None)
    subjects = [probe["subject"] for probe in _choice.declared(inputs.access).values()]
    subject = subjects[0] if subjects else _subject("other-ca")
    checks.run("refused:other-ca", subject["common_name"], refused, check, end, _probes.self_made(subject))


def _check_spoofing(inputs: Inputs, checks: Checks, probes: t.Mapping[str, _probes.Probe]) -> None:
    own = _choice.impostor(inputs.access, probes)
    claimed = _choice.claimed(inputs.access, own) if own else None
    if own is None or claimed is None:
        names = [f"refused:spoofed-{spelling}" for spelling in _refusals.SPOOFED]
        _choice.skip(checks, names, "keeps its own name", "a role that looks at NiFi, and another one")
        return
    probe = probes[own]
    arguments = (inputs.endpoint, probe.pair, probe.dn, claimed)
    for spelling in _refusals.SPOOFED:
        expected = f"stays {probe.dn}, or refused"
        checks.run(f"refused:spoofed-{spelling}", probe.dn, expected, _refusals.check_spoofed, *arguments, spelling)


def _check_cross_site(inputs: Inputs, checks: Checks, probes: t.Mapping[str, _probes.Probe]) -> None:
    role, expected = _choice.writer(inputs.access, probes), "refused by the edge (403)"
    if role is None:
        names = [f"refused:cross-site-{name}" for name in _refusals.CROSS_SITE]
        _choice.skip(checks, names, expected, "any role")
        return
    probe = probes[role]
    check, arguments = _refusals.check_cross_site, (inputs.endpoint, probe.pair)
    for name, headers in _refusals.CROSS_SITE.items():
        checks.run(f"refused:cross-site-{name}", probe.dn, expected, check, *arguments, headers)


def _check_reserved(inputs: Inputs, checks: Checks) -> None:
    for name, subject in _refusals.RESERVED.items():
        made: list[_probes.Probe] = []
        whom = subject["common_name"]
        checks.run(f"refused:reserved-{name}", whom, "refused by the edge", _reserved, inputs, subject, made)
        if made:
            _doors.check_reserved(inputs.airflow, inputs.ingest, checks, name, made[0])


def _reserved(inputs: Inputs, subject: t.Mapping[str, str], made: list[_probes.Probe]) -> Outcome:
    probe = _probes.issue(inputs.acmpca, inputs.users_ca_arn, subject, _probes.SHORT_LIFETIME)
    made.append(probe)
    return _refusals.check_edge_refuses(inputs.endpoint, probe.pair)


def _check_reach(inputs: Inputs, checks: Checks) -> None:
    for port in inputs.ports:
        if port.tried(inputs.attempts):
            arguments = ("another host", port.expected, _network.check_tried, inputs.attempts, port)
            checks.run(f"refused:direct-{port.name}", *arguments)
        rules = (port.rules, port.number, port.allowed)
        checks.run(f"rules:{port.name}", "security groups", port.expected, _network.check_computed, *rules)


def _check_user(inputs: Inputs, checks: Checks, user: t.Mapping[str, t.Any]) -> None:
    name, dn = user["user"], user["dn"]
    expected = f"serial {user['serial']}, {dn}"
    checks.run(f"certificate:{name}", dn, expected, _user_certificate, inputs, user)
    role = _dn.match(_dn.parse(dn), inputs.access["rules"])
    expected = f"exactly the policies of {role or 'nobody'}"
    checks.run(f"access:{name}", dn, expected, _users.check_grants, user, role, inputs.access, inputs.nifi)


def _user_certificate(inputs: Inputs, user: t.Mapping[str, t.Any]) -> Outcome:
    return _users.check_certificate(user, inputs.issued(user))


def _check_revocation(inputs: Inputs, checks: Checks, probe: _probes.Probe) -> None:
    arguments = (inputs.endpoint, probe.pair, inputs.revocation_seconds)
    expected = "refused by the edge (403)"
    checks.run("refused:revoked-edge", probe.dn, expected, _refusals.check_revoked_by_edge, *arguments)
    _doors.check_revoked(inputs.airflow, inputs.ingest, checks, probe, inputs.revocation_seconds)
    expected = "refused in the handshake once the list is in the trust store"
    checks.run("refused:revoked-balancer", probe.dn, expected, _revoked_by_balancer, inputs, probe)


def _revoked_by_balancer(inputs: Inputs, probe: _probes.Probe) -> Outcome:
    if not inputs.refresh_trust_store(probe.serial):
        return Outcome("the CA has not written its new revocation list yet", PENDING, "verify again in 30 minutes")
    return _refusals.check_revoked_by_balancer(inputs.endpoint, probe.pair, inputs.balancer_seconds)
