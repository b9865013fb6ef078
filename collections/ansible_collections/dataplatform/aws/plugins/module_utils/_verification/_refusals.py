# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be refused: by the balancer in the handshake, by the edge by request, by NiFi by policy."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import (
    Endpoint,
    KeyPair,
    Refused,
    Response,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._roles import current_user

USER = "/nifi-api/flow/current-user"

# Every way a client may try to name itself. Proxies and servers differ in how they fold case, dashes and underscores.
SPOOFED = {
    "dashes": (("X-Amzn-Mtls-Clientcert-Subject", "{dn}"),),
    "underscores": (("X_Amzn_Mtls_Clientcert_Subject", "{dn}"),),
    "mixed": (("x-AMZN_mtls-Clientcert_SUBJECT", "{dn}"),),
    "duplicated": (("X-Amzn-Mtls-Clientcert-Subject", "{dn}"), ("X-Amzn-Mtls-Clientcert-Subject", "{dn}")),
    "chain": (("X-ProxiedEntitiesChain", "<{dn}>"),),
    "chain-underscores": (("X_ProxiedEntitiesChain", "<{dn}>"), ("x-proxied_entitieschain", "<{dn}>")),
    "groups": (("X-ProxiedEntityGroups", "<role-admin>"), ("X_ProxiedEntityGroups", "<role-admin>")),
    "leaf-and-issuer": (
        ("X-Amzn-Mtls-Clientcert-Leaf", "-----BEGIN%20CERTIFICATE-----"),
        ("X-Amzn-Mtls-Clientcert-Issuer", "{dn}"),
        ("X-Amzn-Mtls-Clientcert-Serial-Number", "01"),
    ),
}

# What a user certificate must never be able to be (see SECURITY.md): the proxy, a node, the automation.
RESERVED = {
    "proxy": {"common_name": "edge", "organizational_unit": "Platform-Proxies", "organization": "Platform"},
    "node": {"common_name": "node", "organizational_unit": "Platform-Nodes", "organization": "Platform"},
    "automation": {
        "common_name": "automation",
        "organizational_unit": "Platform-Automation",
        "organization": "Platform",
    },
}
CROSS_SITE = {
    "origin": (("Origin", "https://elsewhere.example"),),
    "fetch-metadata": (("Sec-Fetch-Site", "cross-site"),),
    "opaque-origin": (("Origin", "null"), ("Sec-Fetch-Site", "cross-site")),
}


def edge_reason(answer: Response) -> str | None:
    """The reason that the edge gives for its refusal, or None: then somebody else answered."""
    return answer.headers.get("x-edge-refused")


def seen(answer: Response) -> str:
    """An answer in a few words."""
    reason = edge_reason(answer)
    return f"HTTP {answer.status}" + (f", refused by the edge ({reason})" if reason else "")


def by_edge(answer: Response) -> bool:
    """Whether the edge, not NiFi, refused: every answer of NiFi carries its Content-Security-Policy."""
    return answer.status in (400, 401, 403, 421) and "content-security-policy" not in answer.headers


def check_handshake_refused(endpoint: Endpoint, pair: KeyPair | None) -> Outcome:
    """The balancer ends the TLS handshake."""
    try:
        answer = endpoint.request("GET", USER, pair=pair)
    except Refused as refused:
        return Outcome(f"refused in the handshake ({refused})")
    raise CheckFailed(f"the balancer let it pass: HTTP {answer.status}", "check the listener's mutual authentication")


def check_spoofed(endpoint: Endpoint, pair: KeyPair, own: str, claimed: str, spelling: str) -> Outcome:
    """A client that names itself ``claimed`` stays ``own``, or is refused."""
    headers = [(name, value.format(dn=claimed)) for name, value in SPOOFED[spelling]]
    answer = current_user(endpoint, pair, headers)
    identity = answer.json().get("identity")
    if answer.status == 200 and identity == own and not answer.json().get("tenantsPermissions", {}).get("canWrite"):
        return Outcome(f"stays {own}")
    if answer.status in (400, 401, 403):
        return Outcome(f"refused with HTTP {answer.status}")
    raise CheckFailed(f"HTTP {answer.status}, logged in as {identity!r}", "the edge must delete this header")


def check_cross_site(endpoint: Endpoint, pair: KeyPair, headers: t.Sequence[tuple[str, str]]) -> Outcome:
    """A write that another site's page caused is refused by the edge before NiFi sees it."""
    body = {"revision": {"clientId": "verification", "version": 0}, "component": {"label": "verification"}}
    answer = endpoint.request("POST", "/nifi-api/process-groups/root/labels", pair=pair, headers=headers, body=body)
    if answer.status == 403 and by_edge(answer):
        return Outcome("refused by the edge (403)")
    raise CheckFailed(f"HTTP {answer.status}", "check the edge's Origin and Sec-Fetch-Site rules")


def check_edge_refuses(endpoint: Endpoint, pair: KeyPair) -> Outcome:
    """A certificate that the balancer accepts, and the edge does not (a reserved name)."""
    answer = endpoint.request("GET", USER, pair=pair)
    if by_edge(answer):
        return Outcome(f"refused by the edge ({answer.status})")
    raise CheckFailed(f"HTTP {answer.status}, identity {answer.json().get('identity')!r}", "check the subject policy")


def check_refused_for(
    endpoint: Endpoint,
    pair: KeyPair,
    reason: str,
    method: str,
    path: str,
    headers: t.Sequence[tuple[str, str]] = (),
) -> Outcome:
    """The edge refuses this request, and for this reason."""
    body = None if method == "GET" else {}
    answer = endpoint.request(method, path, pair=pair, headers=headers, body=body)
    if edge_reason(answer) == reason:
        return Outcome(seen(answer))
    raise CheckFailed(seen(answer), f"the edge must refuse it: {reason}")


def check_revoked_by_edge(
    endpoint: Endpoint,
    pair: KeyPair,
    seconds: float,
    path: str = USER,
    method: str = "GET",
) -> Outcome:
    """The edge refuses a revoked serial within its refresh interval (the balancer may do so before it)."""
    started = time.monotonic()
    while True:
        try:
            answer = endpoint.request(method, path, pair=pair)
        except Refused as refused:
            raise CheckFailed(f"the balancer refused first ({refused}): the edge could not be seen") from refused
        waited = time.monotonic() - started
        if answer.status == 403 and edge_reason(answer) == "revoked":
            return Outcome(f"refused by the edge (403) after {waited:.0f} s")
        if waited > seconds:
            raise CheckFailed(
                f"still HTTP {answer.status} after {waited:.0f} s", "check the edge's revocation timer on the host"
            )
        time.sleep(1)


def check_revoked_by_balancer(endpoint: Endpoint, pair: KeyPair, seconds: float) -> Outcome:
    """The balancer refuses it once the new revocation list is in the trust store."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            endpoint.request("GET", USER, pair=pair)
        except Refused as refused:
            return Outcome(f"refused in the handshake ({refused})")
        if time.monotonic() > deadline:
            raise CheckFailed("the list is in the trust store, and the balancer still lets it pass")
        time.sleep(1)


def check_lapsed(endpoint: Endpoint, pair: KeyPair, not_after: float) -> Outcome:
    """A certificate that was good is refused in the handshake once its time is over (``not_after``: epoch)."""
    remaining = not_after - time.time() + 2
    if remaining > 0:
        time.sleep(remaining)
    return check_handshake_refused(endpoint, pair)
