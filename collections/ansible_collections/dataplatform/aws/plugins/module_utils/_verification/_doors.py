# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checks at the doors beside NiFi's: Airflow's and the one for producers, each behind an edge of its own."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils._verification import (
    _airflow,
    _choice,
    _ingest,
    _probes,
    _refusals,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import Checks
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint

Probes = t.Mapping[str, _probes.Probe]
PLACES = ("token", "cookie")  # where a client may put its token


def check_unknown(airflow: Endpoint, checks: Checks, probe: _probes.Probe) -> None:
    """A certificate to whose DN the rules give no role."""
    arguments = (airflow, probe.pair)
    checks.run("refused:airflow-unknown", probe.dn, "refused by Airflow (403)", _airflow.check_no_role, *arguments)


def check_airflow(airflow: Endpoint, checks: Checks, access: t.Mapping[str, t.Any], probes: Probes) -> None:
    """Log in as each role, then try to be somebody else."""
    tokens: dict[str, str] = {}  # by DN; in memory only
    for role, probe in probes.items():
        _check_airflow_role(airflow, checks, role, access["roles"][role].get("airflow") or [], probe, tokens)
    if sum(bool(access["roles"][role].get("airflow")) for role in probes) < 2:
        names = [f"refused:airflow-foreign-{place}" for place in PLACES]
        _choice.skip(checks, names, "another's token refused by Airflow", "two roles with rights in Airflow")
    _check_foreign(airflow, checks, [probe for probe in probes.values() if probe.dn in tokens], tokens)
    _check_spoofing(airflow, checks, access, probes)
    _check_writes(airflow, checks, access, probes, tokens)


def _check_airflow_role(
    airflow: Endpoint,
    checks: Checks,
    role: str,
    declared: t.Sequence[str],
    probe: _probes.Probe,
    tokens: dict[str, str],
) -> None:
    end, pair, dn = airflow, probe.pair, probe.dn
    if not declared:
        checks.run(f"refused:airflow-{role}", dn, "refused by Airflow (403)", _airflow.check_no_role, end, pair)
        return
    expected = f"logged in as {dn}"
    if not checks.run(f"login:airflow:{role}", dn, expected, _airflow.check_identity, end, pair, dn, tokens):
        return
    for right in _airflow.RIGHTS:
        granted = {True: "granted", False: "refused by Airflow (403)", None: "not judged"}
        expected = granted[_airflow.may(declared, right)]
        arguments = (end, pair, tokens[dn], declared, right)
        checks.run(f"{right.name}:airflow:{role}", dn, expected, _airflow.check_right, *arguments)


def _check_foreign(
    airflow: Endpoint, checks: Checks, probes: t.Sequence[_probes.Probe], tokens: t.Mapping[str, str]
) -> None:
    """The first role's certificate with the last one's token: with the usual roles a viewer with an administrator's."""
    if len(probes) < 2:
        return
    own, other = probes[0], probes[-1]
    expected = f"the token of {other.dn} refused by Airflow"
    for place in PLACES:
        arguments = (airflow, own.pair, tokens[own.dn], tokens[other.dn], place)
        checks.run(f"refused:airflow-foreign-{place}", own.dn, expected, _airflow.check_foreign, *arguments)


def _check_spoofing(airflow: Endpoint, checks: Checks, access: t.Mapping[str, t.Any], probes: Probes) -> None:
    own = _choice.airflow_impostor(access, probes)
    claimed = _choice.claimed(access, own) if own else None
    if own is None or claimed is None:
        names = [f"refused:airflow-spoofed-{spelling}" for spelling in _airflow.SPOOFED]
        _choice.skip(checks, names, "keeps its own name", "a role with some of Airflow's rights, and another one")
        return
    probe = probes[own]
    for spelling in _airflow.SPOOFED:
        arguments = (airflow, probe.pair, probe.dn, claimed, spelling)
        name, expected = f"refused:airflow-spoofed-{spelling}", f"stays {probe.dn}, or refused"
        checks.run(name, probe.dn, expected, _airflow.check_spoofed, *arguments)


def _check_writes(
    airflow: Endpoint, checks: Checks, access: t.Mapping[str, t.Any], probes: Probes, tokens: t.Mapping[str, str]
) -> None:
    """What the edge keeps from Airflow, whatever the token: writes of other sites, and the interface of tasks."""
    role, expected = _choice.airflow_writer(access, probes), "refused by the edge (403)"
    if role is None:
        names = [
            f"refused:airflow-{what}" for what in (*(f"cross-site-{n}" for n in _refusals.CROSS_SITE), "task-interface")
        ]
        _choice.skip(checks, names, expected, "any role")
        return
    probe, check = probes[role], _refusals.check_refused_for
    key = [_airflow.bearer(tokens[probe.dn])] if probe.dn in tokens else []
    for name, headers in _refusals.CROSS_SITE.items():
        arguments = (airflow, probe.pair, "cross-site", "POST", _airflow.POOLS, [*key, *headers])
        checks.run(f"refused:airflow-cross-site-{name}", probe.dn, expected, check, *arguments)
    arguments = (airflow, probe.pair, "path", "GET", "/execution/", key)
    checks.run("refused:airflow-task-interface", probe.dn, expected, check, *arguments)


def check_ingest(ingest: Endpoint, checks: Checks, probes: Probes, roles: t.Collection[str] = (_ingest.ROLE,)) -> None:
    """Producers (whose ``roles`` these are) push, all others don't, and nobody reads."""
    for role in roles:
        expected = "a request reaches the listener"
        if role not in probes:
            _choice.skip(checks, [f"ingest:{role}"], expected, role)
            continue
        producer = probes[role]
        checks.run(f"ingest:{role}", producer.dn, expected, _ingest.check_pushes, ingest, producer.pair)
    producers = [probes[role] for role in roles if role in probes]
    others = {role: probe for role, probe in probes.items() if role not in roles}
    for role, probe in others.items():
        _check_not_admitted(ingest, checks, f"refused:ingest-{role}", probe)
    _check_read(ingest, checks, producers)
    _check_claims(ingest, checks, list(others.values()), producers)


def _check_read(ingest: Endpoint, checks: Checks, producers: t.Sequence[_probes.Probe]) -> None:
    """A door for records is no window."""
    name, expected = "refused:ingest-read", "refused by the edge (405)"
    if not producers:
        _choice.skip(checks, [name], expected, "a role of edge_ingest_roles")
        return
    arguments = (ingest, producers[0].pair, "method", "GET", _ingest.PATH)
    checks.run(name, producers[0].dn, expected, _refusals.check_refused_for, *arguments)


def _check_claims(
    ingest: Endpoint, checks: Checks, others: t.Sequence[_probes.Probe], producers: t.Sequence[_probes.Probe]
) -> None:
    """Somebody else who takes a producer's name."""
    names = {f"refused:ingest-spoofed-{spelling}": spoofed for spelling, spoofed in _ingest.SPOOFED.items()}
    if not others or not producers:
        _choice.skip(checks, names, "refused by the edge (403)", "a role of edge_ingest_roles, and another one")
        return
    for name, spoofed in names.items():
        headers = [(header, value.format(dn=producers[0].dn)) for header, value in spoofed]
        _check_not_admitted(ingest, checks, name, others[0], headers)


def _check_not_admitted(
    ingest: Endpoint, checks: Checks, name: str, probe: _probes.Probe, headers: t.Sequence[tuple[str, str]] = ()
) -> None:
    arguments = (ingest, probe.pair, "role", "POST", _ingest.PATH, headers)
    checks.run(name, probe.dn, "refused by the edge (403)", _refusals.check_refused_for, *arguments)


def check_reserved(
    airflow: Endpoint | None, ingest: Endpoint | None, checks: Checks, name: str, probe: _probes.Probe
) -> None:
    """A certificate named like one of the platform's own identities."""
    for door, endpoint, path in _doors(airflow, ingest):
        arguments = (endpoint, probe.pair, "subject", "POST", path)
        expected = "refused by the edge (403)"
        checks.run(f"refused:{door}-reserved-{name}", probe.dn, expected, _refusals.check_refused_for, *arguments)


def check_revoked(
    airflow: Endpoint | None, ingest: Endpoint | None, checks: Checks, probe: _probes.Probe, seconds: float
) -> None:
    """A certificate that was revoked while this run went on, at the edges of the other hosts and services."""
    for door, endpoint, path in _doors(airflow, ingest):
        arguments = (endpoint, probe.pair, seconds, path, "POST")
        expected = "refused by the edge (403)"
        checks.run(f"refused:{door}-revoked", probe.dn, expected, _refusals.check_revoked_by_edge, *arguments)


def _doors(airflow: Endpoint | None, ingest: Endpoint | None) -> list[tuple[str, Endpoint, str]]:
    """Name, address and a path to POST to of the doors that there are."""
    doors = [("airflow", airflow, _airflow.LOGIN), ("ingest", ingest, _ingest.PATH)]
    return [(name, endpoint, path) for name, endpoint, path in doors if endpoint]
