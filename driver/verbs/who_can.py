"""What a user may do, and why: the rule that matches the DN, the role it gives, the role's policies."""

from __future__ import annotations

import json
from typing import Any

from driver import collection, conduct, environment, people
from driver.errors import DONE, DriverError
from driver.run import Run


def run(run: Run) -> int:
    run.declared = environment.load(run.project, run.env, run.connector.values_name)
    found = explain(run.declared, run.options.user)
    if found["user"]:
        try:
            found["certificate"] = _certificate(run, found["user"])
        except DriverError as error:  # the explanation itself needs no account
            found["certificate"], found["unknown"] = None, error.message
    if run.options.json:
        print(json.dumps(found, indent=2))
        return DONE
    for line in lines(run.declared, found):
        run.progress.line(line)
    return DONE


def explain(declared: environment.Environment, name: str) -> dict[str, Any]:
    """The role of a user with a request, or of any DN, and where it comes from.

    :raises DriverError: no such user, or a text that is no DN
    """
    dns = collection.module("_dn")
    request = next((request for request in declared.requests if request.user == name), None)
    if request is None and "=" not in name:
        known = ", ".join(request.user for request in declared.requests)
        raise DriverError(
            f"{name} has no request in cert-requests/{declared.name} (there are: {known})", "add one, or give a DN"
        )
    try:
        dn = request.subject if request else dns.parse(name)
    except dns.DnError as error:
        raise DriverError(f"{name}: {error}", "write it like CN=alice,OU=DataEng,O=Platform") from None
    role = dns.match(dn, declared.rules)
    number = next((n for n, rule in enumerate(declared.rules, 1) if dns.match(dn, [rule])), None)
    policies = declared.access.roles[role] if role else None
    return {
        "user": request.user if request else None,
        "dn": dn.rfc4514(),
        "revoked": bool(request and request.revoked),
        "rule": {"number": number, **declared.rules[number - 1]} if number else None,
        "role": role,
        "description": policies.description if policies else None,
        "nifi": [policy.model_dump() for policy in policies.nifi] if policies else [],
        "airflow": policies.airflow if policies else [],
    }


def lines(declared: environment.Environment, found: dict[str, Any]) -> list[str]:
    """The explanation as text."""
    shown = [
        f"{found['user'] or 'somebody'} is {found['dn']}"
        + ("; the request says revoked: no access" if found["revoked"] else "")
    ]
    if not found["role"]:
        return [*shown, f"no rule of inventories/{declared.name}/group_vars/all/access.yml matches: no role, no access"]
    match = ", ".join(f"{key} = {value}" for key, value in found["rule"]["match"].items())
    shown.append(
        f"rule {found['rule']['number']} of access.yml matches ({match}): role {found['role']}: {found['description']}"
    )
    shown.append("NiFi:" if found["nifi"] else "NiFi: nothing")
    shown += [f"  {'/'.join(policy['actions']):<11} {policy['resource']}" for policy in found["nifi"]]
    shown.append(f"Airflow: {', '.join(found['airflow']) or 'nothing'}")
    certificate = found.get("certificate")
    if certificate:
        shown.append(f"certificate: serial {certificate['serial']}, until {certificate['expires']}")
    elif found.get("unknown"):
        shown.append(f"certificate: could not be asked: {found['unknown']}")
    elif found["user"]:
        shown.append("certificate: none is known")
    return shown


def _certificate(run: Run, user: str) -> dict[str, Any] | None:
    """The certificate in use. :raises DriverError: there is no account to ask"""
    conduct.begin_quietly(run)
    entry = next((entry for entry in people.users(run) if entry["user"] == user), None)
    return {"serial": entry["serial"], "expires": entry["expires"]} if entry and entry.get("serial") else None
