# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to NiFi with each role's probe: who one is there, and what one may and may not do."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint, KeyPair, Response

# Fields of NiFi's `GET /flow/current-user` and the policy resource each of them shows.
PERMISSIONS = {
    "provenancePermissions": "/provenance",
    "countersPermissions": "/counters",
    "tenantsPermissions": "/tenants",
    "controllerPermissions": "/controller",
    "policiesPermissions": "/policies",
    "systemPermissions": "/system",
}


def declared(role: t.Mapping[str, t.Any], resource: str, action: str) -> bool:
    """Whether ``access.yml`` gives a role this action on a NiFi resource."""
    return any(p["resource"] == resource and action in p["actions"] for p in role.get("nifi", ()))


def current_user(endpoint: Endpoint, pair: KeyPair, headers: t.Sequence[tuple[str, str]] = ()) -> Response:
    return endpoint.request("GET", "/nifi-api/flow/current-user", pair=pair, headers=headers)


def check_identity(endpoint: Endpoint, pair: KeyPair, dn: str) -> Outcome:
    """The identity NiFi knows the probe by is exactly its certificate's DN."""
    answer = current_user(endpoint, pair)
    if answer.status != 200:
        raise CheckFailed(f"HTTP {answer.status}", "run `--only access`: the identity may not be in NiFi yet")
    identity = answer.json().get("identity")
    if identity != dn:
        raise CheckFailed(f"logged in as {identity!r}", "compare nifi.security.identity.mapping.* with the DN")
    return Outcome(f"logged in as {identity}")


def check_permissions(endpoint: Endpoint, pair: KeyPair, role: t.Mapping[str, t.Any]) -> Outcome:
    """What NiFi grants the probe is what ``access.yml`` declares for its role: no less, no more."""
    user = current_user(endpoint, pair).json()
    wrong = []
    for name, resource in PERMISSIONS.items():
        for action, key in (("read", "canRead"), ("write", "canWrite")):
            granted = bool(user.get(name, {}).get(key))
            if granted != declared(role, resource, action):
                wrong.append(f"{action} {resource}: {'granted' if granted else 'missing'}")
    if wrong:
        raise CheckFailed("; ".join(wrong), "run `--only access`, then verify again")
    return Outcome("as declared")


def check_no_rights(endpoint: Endpoint, pair: KeyPair) -> Outcome:
    """NiFi, not the edge, shows nothing to a role that has no policy."""
    answer = endpoint.request("GET", "/nifi-api/flow/process-groups/root", pair=pair)
    if answer.status == 403 and "x-edge-refused" not in answer.headers:
        return Outcome("refused by NiFi (403)")
    raise CheckFailed(f"HTTP {answer.status} for the root process group", "run `--only access`, then verify again")


def check_read(endpoint: Endpoint, pair: KeyPair) -> Outcome:
    """The canvas opens."""
    answer = endpoint.request("GET", "/nifi-api/flow/process-groups/root", pair=pair)
    if answer.status != 200:
        raise CheckFailed(f"HTTP {answer.status} for the root process group")
    return Outcome("the canvas opens")


def check_write(endpoint: Endpoint, pair: KeyPair, allowed: bool) -> Outcome:
    """A label can be put on the canvas (and is taken off again), or is refused by NiFi with 403."""
    body = {"revision": {"clientId": "verification", "version": 0}, "component": {"label": "verification"}}
    headers = [("Origin", endpoint.origin), ("Sec-Fetch-Site", "same-origin")]
    answer = endpoint.request("POST", "/nifi-api/process-groups/root/labels", pair=pair, headers=headers, body=body)
    if answer.status == 201:
        created = answer.json()
        version = created["revision"]["version"]
        path = f"/nifi-api/labels/{created['id']}?version={version}&clientId=verification"
        removed = endpoint.request("DELETE", path, pair=pair, headers=headers)
        if not allowed:
            raise CheckFailed("could change the flow", "look for a policy on the root group that is too wide")
        if removed.status != 200:
            raise CheckFailed(f"made a label but could not remove it: HTTP {removed.status}")
        return Outcome("changed the flow (a label, removed again)")
    if allowed or answer.status != 403:
        raise CheckFailed(f"HTTP {answer.status} for a change of the flow")
    return Outcome("refused by NiFi (403)")
