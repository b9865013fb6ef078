"""Access reconciliation of many users: the collection's way against one REST call after another.

Measures both in the same run, on the same NiFi, over connections that are kept. Each way brings NiFi from "no users" to
"USERS users in one role's group, with the role's policies", finds out that nothing is to be done, and takes all of them
away again.

*One call after another* is what a loop over a REST module does: for each user look whether they exist, create them,
read the group, put it back with one member more; for each policy read, then create. Its cost per user grows with the
group, so it is measured in full and not extrapolated from a few users. It takes minutes.

    python -m benchmarks.access_reconciliation --cert CERTIFICATE --key KEY --ca CA [--url URL] [--users 1000]

Who and what is in NiFi before stays; what is made here is removed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "collections"))

from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_access, _nifi_reconcile

GROUP = "role-benchmark"
POLICIES = [
    {"resource": resource, "actions": [action], "groups": [GROUP]}
    for resource, actions in {
        "/flow": ["read"],
        "/process-groups/root": ["read", "write"],
        "/operation/process-groups/root": ["write"],
        "/data/process-groups/root": ["read", "write"],
        "/provenance": ["read"],
        "/provenance-data/process-groups/root": ["read"],
        "/counters": ["read", "write"],
        "/system": ["read"],
    }.items()
    for action in actions
]
NEW = {"version": 0}
Client = _nifi.Client


def identities(count: int) -> list[str]:
    return [f"CN=benchmark {number},OU=Benchmark,O=Platform" for number in range(count)]


def together(client: Client, people: list[str], protected: list[str]) -> None:
    """The collection's way."""
    groups = [{"name": GROUP, "users": people}] if people else []
    wanted = _nifi_access.declared([], groups, POLICIES if people else [])
    _nifi_reconcile.reconcile(client, wanted, protected)


class OneAfterAnother:
    """A loop of REST calls, over one connection that is kept."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def user(self, identity: str) -> dict[str, Any] | None:
        found = self.client.get(f"/tenants/search-results?q={urllib.parse.quote(identity)}")["users"]
        return next((user for user in found if user["component"]["identity"] == identity), None)

    def group(self) -> dict[str, Any]:
        for group in self.client.get(f"/tenants/search-results?q={GROUP}")["userGroups"]:
            if group["component"]["identity"] == GROUP:
                return self.client.get(f"/tenants/user-groups/{group['id']}")
        return self.client.post(
            "/tenants/user-groups", {"revision": NEW, "component": {"identity": GROUP, "users": []}}
        )

    def ensure_user(self, identity: str) -> None:
        user = self.user(identity) or self.client.post(
            "/tenants/users", {"revision": NEW, "component": {"identity": identity}}
        )
        group = self.group()
        members = [{"id": member["id"]} for member in group["component"]["users"]]
        if {"id": user["id"]} in members:
            return
        component = {"id": group["id"], "identity": GROUP, "users": [*members, {"id": user["id"]}]}
        self.client.put(f"/tenants/user-groups/{group['id']}", {"revision": group["revision"], "component": component})

    def ensure_policy(self, resource: str, action: str, root: str) -> None:
        resource = _nifi_access.absolute(resource, root)
        group = {"id": self.group()["id"]}
        try:
            found = self.client.get(f"/policies/{action}{resource}")
        except _nifi.Refused:
            found = None
        if found is None or found["component"]["resource"] != resource:
            component = {"resource": resource, "action": action, "users": [], "userGroups": [group]}
            self.client.post("/policies", {"revision": NEW, "component": component})
            return
        now = found["component"]
        if group["id"] not in [one["id"] for one in now["userGroups"]]:
            component = {key: [{"id": one["id"]} for one in now[key]] for key in ("users", "userGroups")}
            component["userGroups"].append(group)
            body = {"revision": found["revision"], "component": {"id": found["id"], **component}}
            self.client.put(f"/policies/{found['id']}", body)

    def ensure(self, people: list[str]) -> None:
        root = self.client.get("/flow/process-groups/root?uiOnly=true")["processGroupFlow"]["id"]
        for policy in POLICIES:
            self.ensure_policy(policy["resource"], policy["actions"][0], root)
        for identity in people:
            self.ensure_user(identity)

    def remove(self, people: list[str]) -> None:
        for identity in people:
            user = self.user(identity)
            if user:
                user = self.client.get(f"/tenants/users/{user['id']}")
                self.client.delete(f"/tenants/users/{user['id']}", user["revision"]["version"])


def timed(what: str, action: Callable[..., None], *arguments: Any) -> float:
    started = time.monotonic()
    action(*arguments)
    taken = time.monotonic() - started
    print(f"{what:<48}{taken:8.2f} s", flush=True)
    return taken


def measure(login: _nifi.Login, users: int = 1000) -> dict[str, Any]:
    """Seconds of both ways by step, and their ratios: ``{"users", "together", "one_after_another", "ratios"}``.

    Each of the three holds ``create``, ``unchanged`` and ``remove``.
    """
    people = identities(users)
    with _nifi.Client(login) as client:
        before = _nifi_reconcile.read(client)
        # Whoever is there, stays.
        protected = sorted({*before.users, *before.groups})
        loop = OneAfterAnother(client)
        for identity in people[: min(users, 50)]:  # both ways find the server warm
            loop.ensure_user(identity)
        together(client, [], protected)
        bulk = {
            "create": timed(f"{users} users together: create", together, client, people, protected),
            "unchanged": timed(f"{users} users together: nothing to do", together, client, people, protected),
            "remove": timed(f"{users} users together: remove", together, client, [], protected),
        }
        single = {
            "create": timed(f"{users} users one after another: create", loop.ensure, people),
            "unchanged": timed(f"{users} users one after another: nothing to do", loop.ensure, people),
            "remove": timed(f"{users} users one after another: remove", loop.remove, people),
        }
        together(client, [], protected)
    ratios = {step: round(bulk[step] / single[step], 4) for step in bulk}
    return {"users": users, "together": bulk, "one_after_another": single, "ratios": ratios}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="https://localhost:8443/nifi-api")
    parser.add_argument("--cert", required=True, help="client certificate in PEM")
    parser.add_argument("--key", help="its key in PEM, when the certificate's file does not hold it")
    parser.add_argument("--ca", required=True, help="CA of NiFi's certificate in PEM")
    parser.add_argument("--users", type=int, default=1000)
    arguments = parser.parse_args()
    try:
        result = measure(_nifi.Login(arguments.url, arguments.cert, arguments.key, arguments.ca), arguments.users)
    except _nifi.NifiError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
