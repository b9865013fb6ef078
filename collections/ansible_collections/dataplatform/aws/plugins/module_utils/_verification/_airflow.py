# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to Airflow with each role's probe: who one is there, and what one may and may not do.

A client trades its certificate for a token (``POST /auth/certificate-token``) and sends both from then on.
"""

from __future__ import annotations

import secrets
import typing as t
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import (
    SKIPPED,
    CheckFailed,
    Outcome,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint, KeyPair, Response
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._refusals import edge_reason, seen

LOGIN = "/auth/certificate-token"
WHO = "/ui/auth/me"
DAGS = "/api/v2/dags"
POOLS = "/api/v2/pools"
CONNECTIONS = "/api/v2/connections"
ROLES = "/auth/fab/v1/roles"
# Airflow looks for the right before it looks for the DAG: without the right 403, with it 404.
NO_DAG = f"{DAGS}/verification_no_such_dag"

# Airflow's own roles, each with all that the one before may (FAB provider: VIEWER_PERMISSIONS and its siblings).
LEVELS = {"Public": 0, "Viewer": 1, "User": 2, "Op": 3, "Admin": 4}

Headers = t.Sequence[t.Tuple[str, str]]

# Every way a client may try to name itself, to the edge or past it to Airflow, which reads dashes and underscores alike.
SPOOFED = {
    "subject-dashes": (("X-Dataplatform-Subject", "{dn}"),),
    "subject-underscores": (("X_Dataplatform_Subject", "{dn}"),),
    "subject-mixed": (("x-DATAPLATFORM_Subject", "{dn}"),),
    "subject-twice": (("X-Dataplatform-Subject", "{dn}"), ("X-Dataplatform-Subject", "{dn}")),
    "balancer-dashes": (("X-Amzn-Mtls-Clientcert-Subject", "{dn}"),),
    "balancer-underscores": (("X_Amzn_Mtls_Clientcert_Subject", "{dn}"),),
}


def bearer(token: str) -> tuple[str, str]:
    return ("Authorization", f"Bearer {token}")


def ask_for_token(endpoint: Endpoint, pair: KeyPair, headers: Headers = ()) -> Response:
    return endpoint.request("POST", LOGIN, pair=pair, headers=headers)


def token(endpoint: Endpoint, pair: KeyPair) -> str:
    """A token for this certificate.

    Raises:
        CheckFailed: there was none.
    """
    answer = ask_for_token(endpoint, pair)
    found = answer.json()
    if answer.status not in (200, 201) or not isinstance(found, dict) or not found.get("access_token"):
        raise CheckFailed(seen(answer), "look at the api-server's log for the reason; `--only access` writes the roles")
    return str(found["access_token"])


def check_identity(endpoint: Endpoint, pair: KeyPair, dn: str, tokens: t.MutableMapping[str, str]) -> Outcome:
    """Airflow gives the probe a token and knows it by exactly its certificate's DN; the token is kept by DN."""
    tokens[dn] = token(endpoint, pair)
    answer = endpoint.request("GET", WHO, pair=pair, headers=[bearer(tokens[dn])])
    username = _username(answer)
    if answer.status != 200 or not _same(username, dn):
        raise CheckFailed(f"{seen(answer)}, logged in as {username!r}", "compare the user in Airflow with the DN")
    return Outcome(f"logged in as {username}")


def check_no_role(endpoint: Endpoint, pair: KeyPair) -> Outcome:
    """A good certificate whose DN has no role in Airflow gets no token, by Airflow's word and not by the edge's."""
    answer = ask_for_token(endpoint, pair)
    if answer.status == 403 and not edge_reason(answer):
        return Outcome("refused by Airflow (403)")
    raise CheckFailed(seen(answer), "Airflow must give no token to a DN without a role")


@dataclass(frozen=True)
class Right:
    """Something that Airflow's role ``least``, and all above it, may; ``try_it`` says whether it was granted."""

    name: str
    least: str
    try_it: t.Callable[[Endpoint, KeyPair, Headers], bool]


def _granted(answer: Response, good: int) -> bool:
    if answer.status == good:
        return True
    if answer.status == 403 and not edge_reason(answer):
        return False
    raise CheckFailed(f"{seen(answer)}, neither {good} nor Airflow's 403")


def _try_read(endpoint: Endpoint, pair: KeyPair, headers: Headers) -> bool:
    return _granted(endpoint.request("GET", f"{DAGS}?limit=1", pair=pair, headers=headers), 200)


def _try_dags(endpoint: Endpoint, pair: KeyPair, headers: Headers) -> bool:
    """Pause and trigger: both rights or neither, tried on a DAG that does not exist, so that nothing runs."""
    attempts = (("PATCH", NO_DAG, {"is_paused": True}), ("POST", f"{NO_DAG}/dagRuns", {"logical_date": None}))
    found = [_granted(endpoint.request(m, p, pair=pair, headers=headers, body=body), 404) for m, p, body in attempts]
    if len(set(found)) > 1:
        raise CheckFailed("may pause but not trigger" if found[0] else "may trigger but not pause")
    return found[0]


def _try_roles(endpoint: Endpoint, pair: KeyPair, headers: Headers) -> bool:
    return _granted(endpoint.request("GET", ROLES, pair=pair, headers=headers), 200)


def _try_pools(endpoint: Endpoint, pair: KeyPair, headers: Headers) -> bool:
    name = _name()
    body = {"name": name, "slots": 1, "include_deferred": False}
    return _make_and_remove(endpoint, pair, headers, POOLS, name, body)


def _try_connections(endpoint: Endpoint, pair: KeyPair, headers: Headers) -> bool:
    name = _name()
    return _make_and_remove(endpoint, pair, headers, CONNECTIONS, name, {"connection_id": name, "conn_type": "http"})


def _make_and_remove(
    endpoint: Endpoint, pair: KeyPair, headers: Headers, path: str, name: str, body: t.Mapping[str, t.Any]
) -> bool:
    if not _granted(endpoint.request("POST", path, pair=pair, headers=headers, body=body), 201):
        return False
    removed = endpoint.request("DELETE", f"{path}/{name}", pair=pair, headers=headers)
    if removed.status != 204:
        raise CheckFailed(f"made {name} at {path} but could not remove it: HTTP {removed.status}", "remove it by hand")
    return True


RIGHTS = (
    Right("read", "Viewer", _try_read),
    Right("dags", "User", _try_dags),
    Right("pools", "Op", _try_pools),
    Right("connections", "Op", _try_connections),
    Right("roles", "Admin", _try_roles),
)


def level(roles: t.Iterable[str]) -> int | None:
    """How far up Airflow's own roles these reach; None when one of them is not Airflow's own."""
    found = [LEVELS.get(role) for role in roles]
    return None if None in found else max((one for one in found if one is not None), default=0)


def may(roles: t.Iterable[str], right: Right) -> bool | None:
    reached = level(roles)
    return None if reached is None else reached >= LEVELS[right.least]


def check_right(endpoint: Endpoint, pair: KeyPair, key: str, roles: t.Sequence[str], right: Right) -> Outcome:
    """What Airflow grants is what its role of ``access.yml`` may: no less, no more. ``key`` is the probe's token."""
    allowed = may(roles, right)
    if allowed is None:
        return Outcome(f"{', '.join(roles)} is no role of Airflow's own: not judged", SKIPPED)
    headers = [bearer(key), ("Origin", endpoint.origin), ("Sec-Fetch-Site", "same-origin")]
    granted = right.try_it(endpoint, pair, headers)
    if granted != allowed:
        raise CheckFailed("granted" if granted else "refused by Airflow (403)", f"compare Airflow's role {roles[0]}")
    return Outcome("granted" if granted else "refused by Airflow (403)")


def check_spoofed(endpoint: Endpoint, pair: KeyPair, own: str, claimed: str, spelling: str) -> Outcome:
    """A client that names itself ``claimed`` stays ``own`` when it logs in and afterwards, or is refused."""
    headers = [(name, value.format(dn=claimed)) for name, value in SPOOFED[spelling]]
    answer = ask_for_token(endpoint, pair, headers)
    if answer.status in (400, 401, 403):
        return Outcome(f"refused with HTTP {answer.status}")
    key = answer.json().get("access_token")
    if not key:
        raise CheckFailed(seen(answer))
    who = endpoint.request("GET", WHO, pair=pair, headers=[bearer(key), *headers])
    if who.status in (400, 401, 403):
        return Outcome(f"refused with HTTP {who.status}")
    username = _username(who)
    if not _same(username, own):
        raise CheckFailed(f"logged in as {username!r}", "the edge must delete this header")
    if _try_roles(endpoint, pair, [bearer(key), *headers]):
        raise CheckFailed(f"{own} sees Airflow's roles", "the edge must delete this header")
    return Outcome(f"stays {own}")


def check_foreign(endpoint: Endpoint, pair: KeyPair, own: str, key: str, place: str) -> Outcome:
    """A token that was made for another certificate opens nothing, sent as a header or as the pages' cookie.

    ``own`` is this certificate's token: unless that one opens Airflow from the same place, the refusal proves nothing.
    """
    for one, good in ((own, (200,)), (key, (401, 403))):
        header = bearer(one) if place == "token" else ("Cookie", f"_token={one}")
        answer = endpoint.request("GET", WHO, pair=pair, headers=[header])
        if answer.status not in good or edge_reason(answer):
            whose = "its own" if one == own else "another certificate's"
            fix = "" if one == own else "a token must be bound to its certificate"
            raise CheckFailed(f"{seen(answer)} with {whose} token, logged in as {_username(answer)!r}", fix)
    return Outcome(f"refused by Airflow ({answer.status})")


def _username(answer: Response) -> str:
    found = answer.json()
    return str(found.get("username") or "") if isinstance(found, dict) else ""


def _same(username: str, dn: str) -> bool:
    try:
        return _dn.parse(username) == _dn.parse(dn)
    except _dn.DnError:
        return False


def _name() -> str:
    return f"verification-{secrets.token_hex(4)}"
