"""Target health: what HAProxy's checks found, in the words of DescribeTargetHealth."""

from __future__ import annotations

import csv
import io
import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from rehearsal.balancer.account import DIRECT
from rehearsal.balancer.model import LoadBalancer, TargetGroup
from rehearsal.balancer.rules import group_backend

State = tuple[str, str]
"""State and reason code, as in the API: ("unhealthy", "Target.Timeout"); the reason of a healthy target is ""."""

REASONS = {
    "L7STS": "Target.ResponseCodeMismatch",
    "L4TOUT": "Target.Timeout",
    "L6TOUT": "Target.Timeout",
    "L7TOUT": "Target.Timeout",
}
"""HAProxy's check result → reason code; every other failure is Target.FailedHealthChecks."""


def read(statistics: str) -> dict[tuple[str, str], State]:
    """(backend, server) → state, from the CSV of `show stat`. Servers whose first check is not over are left out."""
    found: dict[tuple[str, str], State] = {}
    for row in csv.DictReader(io.StringIO(statistics.lstrip("# "))):
        if row["svname"] in ("FRONTEND", "BACKEND") or row["pxname"].endswith("-open"):
            continue
        result = (row.get("check_status") or "").lstrip("* ").strip()
        if result in ("", "INI", "UNK"):
            continue
        if row["status"].startswith("UP"):
            found[(row["pxname"], row["svname"])] = ("healthy", "")
        elif row["status"].startswith("DOWN"):
            found[(row["pxname"], row["svname"])] = ("unhealthy", REASONS.get(result, "Target.FailedHealthChecks"))
    return found


def targets(
    balancer: LoadBalancer, group: TargetGroup, states: Mapping[tuple[str, str], State], before: Mapping[str, State]
) -> dict[str, State]:
    """ "ID:PORT" → state of a group's targets. Unknown to HAProxy yet: as `before`, else initial."""
    backend = group_backend(balancer, group.arn)
    result = {}
    for target in group.targets:
        name = f"{target.identity}:{target.port}"
        state = states.get((backend, f"{target.address}:{target.port}"))
        if target.blocked:  # a dropped packet: no answer ever comes
            state = ("unhealthy", "Target.Timeout")
        result[name] = state or before.get(name, ("initial", "Elb.InitialHealthChecking"))
    return result


def report(endpoint: str, balancer: LoadBalancer, group: TargetGroup, states: Mapping[str, State]) -> None:
    """Tell the account. Raises OSError when it does not answer."""
    entries: list[dict[str, Any]] = []
    for name, (state, reason) in states.items():
        identity, port = name.rsplit(":", 1)
        entries.append({"id": identity, "port": int(port), "state": state, "reason": reason or None})
    body = {
        "account_id": balancer.account_id,
        "region": balancer.region,
        "target_group_arn": group.arn,
        "targets": entries,
    }
    request = urllib.request.Request(  # noqa: S310 - the account's own address
        f"{endpoint.rstrip('/')}/_rehearsal/target-health",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    with DIRECT.open(request, timeout=10):
        pass
