# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What each role may do in Airflow, tried through the balancer with the role's own probe.

Private to this collection. Airflow's roles hold each other: Viewer < User < Op < Admin, by
https://airflow.apache.org/docs/apache-airflow-providers-fab/stable/auth-manager/access-control.html
"""

from __future__ import annotations

import secrets
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines._airflow import API, Airflow, AirflowError
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

# Each with the least of Airflow's roles that has it.
LEAST = {"see DAGs": "Viewer", "change DAGs": "User", "change pools": "Op", "read the audit log": "Admin"}
RANKS = ("Public", "Viewer", "User", "Op", "Admin")


def expected(roles: t.Sequence[str]) -> set[str]:
    """What somebody with these roles of Airflow's may do."""
    rank = max((RANKS.index(role) for role in roles if role in RANKS), default=0)
    return {what for what, least in LEAST.items() if RANKS.index(least) <= rank}


def check_login(airflow: Airflow) -> Outcome:
    """The certificate is good for a token."""
    try:
        airflow.log_in()
    except AirflowError as error:
        raise CheckFailed(str(error), "compare access.yml with the edge's and Airflow's logs") from error
    return Outcome("the certificate was exchanged for a token")


def check_no_login(airflow: Airflow) -> Outcome:
    """A role without any of Airflow's gets no token: 403, with a reason."""
    try:
        airflow.log_in()
    except AirflowError as error:
        if error.status in (401, 403):
            return Outcome(f"refused ({error.status})")
        raise CheckFailed(str(error)) from error
    raise CheckFailed("got a token", "look at the roles that access.yml gives it")


def check_rights(airflow: Airflow, roles: t.Sequence[str], dag_id: str) -> Outcome:
    """Everything in LEAST is tried; what works has to be what the roles say: no less, no more."""
    may = {what for what in LEAST if TRIES[what](airflow, dag_id)}
    wanted = expected(roles)
    if may != wanted:
        missing, extra = ", ".join(sorted(wanted - may)), ", ".join(sorted(may - wanted))
        raise CheckFailed(
            f"missing: {missing or 'none'}; too many: {extra or 'none'}", "look at access.json on the host"
        )
    return Outcome("may " + ", ".join(what for what in LEAST if what in may))


def _allowed(status: int, what: str) -> bool:
    if status in (200, 201, 204):
        return True
    if status == 403:
        return False
    raise CheckFailed(f"HTTP {status} on trying to {what}")


def _sees(airflow: Airflow, dag_id: str) -> bool:
    return _allowed(airflow.raw("GET", f"{API}/dags?limit=1").status, "see DAGs")


def _changes(airflow: Airflow, dag_id: str) -> bool:
    """A change to what is already so: it needs the right, and does nothing."""
    paused = airflow.call("GET", f"{API}/dags/{dag_id}")["is_paused"]
    path = f"{API}/dags/{dag_id}?update_mask=is_paused"
    return _allowed(airflow.raw("PATCH", path, {"is_paused": paused}).status, "change a DAG")


def _pools(airflow: Airflow, dag_id: str) -> bool:
    name = f"verification-{secrets.token_hex(4)}"
    made = _allowed(airflow.raw("POST", f"{API}/pools", {"name": name, "slots": 1}).status, "make a pool")
    if made:
        airflow.call("DELETE", f"{API}/pools/{name}", good=(200, 204))
    return made


def _audits(airflow: Airflow, dag_id: str) -> bool:
    return _allowed(airflow.raw("GET", f"{API}/eventLogs?limit=1").status, "read the audit log")


TRIES: dict[str, t.Callable[[Airflow, str], bool]] = {
    "see DAGs": _sees,
    "change DAGs": _changes,
    "change pools": _pools,
    "read the audit log": _audits,
}
