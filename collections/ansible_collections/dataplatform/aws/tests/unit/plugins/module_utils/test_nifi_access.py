# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may do what in NiFi: planned from facts, carried out against a NiFi in memory that checks revisions and references."""

from __future__ import annotations

import itertools
import re

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_access, _nifi_reconcile

ROOT = "0b7142d9-01a2-1000-c760-3d2818832298"
AUTOMATION = "CN=automation,OU=Platform-Automation,O=Platform"
EDGE = "CN=edge,OU=Platform-Proxies,O=Platform"
ALICE, BOB = "CN=alice,OU=DataEng,O=Platform", "CN=bob,OU=Analytics,O=Platform"
VIEWER = [
    {"resource": "/flow", "actions": ["read"], "groups": ["role-viewer"]},
    {"resource": "/process-groups/root", "actions": ["read"], "groups": ["role-viewer"]},
]


class FakeNifi:
    """The part of NiFi's REST API that counts here, as version 2.3.0 behaves. ``calls`` lists what changed something."""

    def __init__(self, policies: dict[tuple[str, str], set[str]] | None = None) -> None:
        self.numbers = itertools.count(1)
        self.users: dict[str, dict] = {}
        self.groups: dict[str, dict] = {}
        self.policies: dict[str, dict] = {}
        self.calls: list[str] = []
        self.before_change = lambda method, path: None
        for (action, resource), identities in (policies or INITIAL).items():
            ids = [self._user_id(identity) for identity in sorted(identities)]
            self._make(self.policies, resource=resource, action=action, users=ids, userGroups=[])

    def _make(self, table: dict, **component) -> str:
        identifier = f"id-{next(self.numbers)}"
        table[identifier] = {"version": 0, **component}
        return identifier

    def _user_id(self, identity: str) -> str:
        for identifier, user in self.users.items():
            if user["identity"] == identity:
                return identifier
        return self._make(self.users, identity=identity)

    # what the client offers
    def each(self, action, items):
        return [action(item) for item in items]

    def get(self, path: str):
        if path == "/flow/current-user":
            return {"identity": AUTOMATION}
        if path.startswith("/flow/process-groups/root"):
            return {"processGroupFlow": {"id": ROOT}}
        if path == "/tenants/users":
            return {"users": [self._tenant(one) for one in self.users]}
        if path == "/tenants/user-groups":
            return {"userGroups": [self._tenant(one) for one in self.groups]}
        identifier = path.removeprefix("/policies/")
        if identifier in self.policies:
            return self._policy(identifier)
        action, resource = re.fullmatch(r"/policies/(read|write)(/.*)", path).groups()
        for identifier, policy in self.policies.items():
            if (policy["action"], policy["resource"]) == (action, resource):
                return self._policy(identifier)
        raise _nifi.Refused("Unable to find access policy", 404)

    def post(self, path: str, body):
        self._change("POST", path)
        component = body["component"]
        if path == "/tenants/users":
            assert component["identity"] not in [user["identity"] for user in self.users.values()]
            return self._tenant(self._make(self.users, identity=component["identity"]))
        if path == "/tenants/user-groups":
            return self._tenant(
                self._make(self.groups, identity=component["identity"], users=self._known(component, "users"))
            )
        assert path == "/policies"
        for policy in self.policies.values():
            assert (policy["action"], policy["resource"]) != (component["action"], component["resource"])
        made = {kind: self._known(component, kind) for kind in ("users", "userGroups")}
        made |= {key: component[key] for key in ("resource", "action")}
        return self._policy(self._make(self.policies, **made))

    def put(self, path: str, body):
        self._change("PUT", path)
        table, identifier = self._find(path)
        assert body["component"]["id"] == identifier
        self._check(table[identifier], body["revision"]["version"], path)
        for kind in ("users", "userGroups"):
            if kind in table[identifier]:
                table[identifier][kind] = self._known(body["component"], kind)
        table[identifier]["version"] += 1
        return self._policy(identifier) if table is self.policies else self._tenant(identifier)

    def delete(self, path: str, version: int):
        self._change("DELETE", path)
        table, identifier = self._find(path)
        self._check(table[identifier], version, path)
        del table[identifier]
        for entity in itertools.chain(self.groups.values(), self.policies.values()):
            for kind in ("users", "userGroups"):
                if identifier in entity.get(kind, ()):
                    entity[kind].remove(identifier)

    def _change(self, method: str, path: str) -> None:
        self.before_change(method, path)
        self.calls.append(f"{method} {path}")

    def _find(self, path: str):
        identifier = path.rsplit("/", 1)[1]
        table = {"/tenants/users": self.users, "/tenants/user-groups": self.groups, "/policies": self.policies}
        return table[path.rsplit("/", 1)[0]], identifier

    def _check(self, entity: dict, version: int, path: str) -> None:
        if entity["version"] != version:
            raise _nifi.Outdated(f"{path} is not the most up-to-date revision")

    def _known(self, component: dict, kind: str) -> list[str]:
        table = self.users if kind == "users" else self.groups
        ids = [one["id"] for one in component[kind]]
        assert set(ids) <= set(table)
        return ids

    def _tenant(self, identifier: str):
        entity = self.users.get(identifier) or self.groups[identifier]
        in_groups = {one for one, group in self.groups.items() if identifier in group["users"]}
        # NiFi names the policies of a user's groups as the user's.
        held = [
            one
            for one, policy in self.policies.items()
            if identifier in policy["users"] + policy["userGroups"] or in_groups & set(policy["userGroups"])
        ]
        component = {"id": identifier, "identity": entity["identity"], "configurable": entity.get("configurable", True)}
        component["accessPolicies"] = [{"id": one} for one in held]
        component["users"] = [
            {"id": one, "component": {"identity": self.users[one]["identity"]}} for one in entity.get("users", ())
        ]
        return {"id": identifier, "revision": {"version": entity["version"]}, "component": component}

    def _policy(self, identifier: str):
        policy = self.policies[identifier]
        component = {key: policy[key] for key in ("resource", "action")} | {"id": identifier}
        for kind, table in (("users", self.users), ("userGroups", self.groups)):
            component[kind] = [{"id": one, "component": {"identity": table[one]["identity"]}} for one in policy[kind]]
        return {"id": identifier, "revision": {"version": policy["version"]}, "component": component}


# What an initial admin and a node identity get on a fresh NiFi 2.3.0.
INITIAL = {
    ("read", "/flow"): {AUTOMATION},
    ("read", "/tenants"): {AUTOMATION},
    ("write", "/tenants"): {AUTOMATION},
    ("read", "/policies"): {AUTOMATION},
    ("write", "/policies"): {AUTOMATION},
    ("read", "/controller"): {AUTOMATION, EDGE},
    ("write", "/proxy"): {EDGE},
}


def run(nifi: FakeNifi, groups=(), users=(), policies=(), protected=(EDGE,), check=False):
    wanted = _nifi_access.declared(users, groups, policies)
    return _nifi_reconcile.reconcile(nifi, wanted, protected, check)


def lines(outcome) -> tuple[list[str], list[str]]:
    return _nifi_access.lines(outcome.plan.added), _nifi_access.lines(outcome.plan.removed)


def viewers(*identities: str) -> list[dict]:
    return [{"name": "role-viewer", "users": list(identities)}]


def test_a_fresh_nifi_gets_what_is_declared_and_a_second_run_changes_nothing() -> None:
    nifi = FakeNifi()
    own = {"resource": "/process-groups/root", "actions": ["read", "write"], "users": [AUTOMATION]}
    added, removed = lines(run(nifi, viewers(BOB), policies=[*VIEWER, own]))
    assert removed == []
    assert added == [
        "group role-viewer",
        f"member {BOB} of role-viewer",
        "policy read /flow for group role-viewer",
        "policy read /process-groups/root for group role-viewer",
        f"policy read /process-groups/root for user {AUTOMATION}",
        f"policy write /process-groups/root for user {AUTOMATION}",
        f"user {BOB}",
    ]
    assert f"/process-groups/{ROOT}" in {policy["resource"] for policy in nifi.policies.values()}
    nifi.calls.clear()
    assert not run(nifi, viewers(BOB), policies=[*VIEWER, own]).plan
    assert nifi.calls == []


def test_the_initial_identities_keep_what_they_have() -> None:
    nifi = FakeNifi()
    before = _nifi_access.described(_nifi_reconcile.read(nifi))
    assert not run(nifi).plan
    assert _nifi_access.described(_nifi_reconcile.read(nifi)) == before


def test_whoever_asks_is_protected_and_others_are_not() -> None:
    nifi = FakeNifi()
    _added, removed = lines(run(nifi, protected=()))
    assert removed == [
        f"policy read /controller for user {EDGE}",
        f"policy write /proxy for user {EDGE}",
        f"user {EDGE}",
    ]
    assert _nifi_reconcile.read(nifi).users.keys() == {AUTOMATION}


def test_check_mode_says_the_same_and_changes_nothing() -> None:
    nifi = FakeNifi()
    foreseen = lines(run(nifi, viewers(BOB), policies=VIEWER, check=True))
    assert nifi.calls == []
    assert lines(run(nifi, viewers(BOB), policies=VIEWER)) == foreseen


def test_a_removed_user_is_gone_everywhere() -> None:
    nifi = FakeNifi()
    own = {"resource": "/system", "actions": ["read"], "users": [BOB]}
    run(nifi, viewers(BOB, ALICE), policies=[*VIEWER, own])
    _added, removed = lines(run(nifi, viewers(ALICE), policies=VIEWER))
    assert removed == [f"member {BOB} of role-viewer", f"policy read /system for user {BOB}", f"user {BOB}"]
    state = _nifi_access.described(_nifi_reconcile.read(nifi))
    assert BOB not in str(state)
    assert "/system" not in {policy["resource"] for policy in nifi.policies.values()}


def test_another_role_takes_the_old_one_before_it_gives_the_new_one() -> None:
    nifi = FakeNifi()
    engineers = {"name": "role-engineer", "users": []}
    run(nifi, [*viewers(BOB), engineers], policies=VIEWER)
    nifi.calls.clear()
    outcome = run(nifi, [*viewers(), engineers | {"users": [BOB]}], policies=VIEWER)
    assert lines(outcome) == ([f"member {BOB} of role-engineer"], [f"member {BOB} of role-viewer"])
    ids = {group["identity"]: identifier for identifier, group in nifi.groups.items()}
    assert nifi.calls == [
        f"PUT /tenants/user-groups/{ids['role-viewer']}",
        f"PUT /tenants/user-groups/{ids['role-engineer']}",
    ]


def test_a_grant_beside_the_role_is_found_although_nifi_hides_it() -> None:
    """NiFi lists the same policy for the user whether it comes from the group, from a grant of their own, or both."""
    nifi = FakeNifi()
    run(nifi, viewers(BOB), policies=VIEWER)
    flow = next(policy for policy in nifi.policies.values() if policy["resource"] == "/flow")
    flow["users"].append(next(one for one, user in nifi.users.items() if user["identity"] == BOB))
    _added, removed = lines(run(nifi, viewers(BOB), policies=VIEWER))
    assert removed == [f"policy read /flow for user {BOB}"]


def test_undeclared_groups_and_component_policies_are_removed() -> None:
    nifi = FakeNifi()
    run(nifi, [*viewers(BOB), {"name": "friends", "users": [BOB]}], policies=[
        *VIEWER, {"resource": "/processors/1234", "actions": ["write"], "groups": ["friends"]},
    ])  # fmt: skip
    _added, removed = lines(run(nifi, viewers(BOB), policies=VIEWER))
    assert removed == ["group friends", f"member {BOB} of friends", "policy write /processors/1234 for group friends"]
    # An empty policy would hide what the component inherits.
    assert "/processors/1234" not in {policy["resource"] for policy in nifi.policies.values()}


def test_a_group_that_a_protected_identity_needs_stays_for_it_alone() -> None:
    nifi = FakeNifi()
    nodes = {"name": "nodes", "users": [EDGE, BOB]}
    run(nifi, [nodes], policies=[{"resource": "/proxy", "actions": ["write"], "groups": ["nodes"]}])
    _added, removed = lines(run(nifi))
    assert removed == [f"member {BOB} of nodes", f"user {BOB}"]
    assert _nifi_access.described(_nifi_reconcile.read(nifi))["groups"] == [{"name": "nodes", "users": [EDGE]}]


def test_an_empty_policy_that_nobody_holds_is_filled() -> None:
    nifi = FakeNifi()
    nifi._make(nifi.policies, resource="/system", action="read", users=[], userGroups=[])
    run(nifi, viewers(BOB), policies=[{"resource": "/system", "actions": ["read"], "groups": ["role-viewer"]}])
    assert [policy["resource"] for policy in nifi.policies.values()].count("/system") == 1


def test_users_of_a_provider_that_cannot_be_changed_are_left_alone() -> None:
    nifi = FakeNifi()
    nifi._make(nifi.users, identity="cn=from-ldap", configurable=False)
    assert not run(nifi).plan


def test_somebody_elses_change_in_between_is_planned_anew() -> None:
    nifi = FakeNifi()
    run(nifi, viewers(BOB), policies=VIEWER)
    group = next(iter(nifi.groups.values()))

    def meanwhile(method: str, path: str) -> None:
        if method == "PUT" and "user-groups" in path and group["version"] == 0:
            group["version"] = 7

    nifi.before_change = meanwhile
    outcome = run(nifi, viewers(BOB, ALICE), policies=VIEWER)
    assert lines(outcome)[0] == [f"member {ALICE} of role-viewer", f"user {ALICE}"]
    assert len(group["users"]) == 2


def test_endless_interference_ends_with_an_error() -> None:
    nifi = FakeNifi()
    run(nifi, viewers(BOB), policies=VIEWER)
    group = next(iter(nifi.groups.values()))

    def meanwhile(method: str, path: str) -> None:
        if "user-groups" in path:
            group["version"] += 1

    nifi.before_change = meanwhile
    with pytest.raises(_nifi.Outdated):
        run(nifi, viewers(BOB, ALICE), policies=VIEWER)


def test_an_interruption_leaves_nobody_with_more_and_the_next_run_goes_on() -> None:
    wanted = viewers(ALICE)
    for stop_at in range(1, 12):
        nifi = FakeNifi()
        run(nifi, [*viewers(BOB), {"name": "old", "users": [BOB]}], policies=[
            *VIEWER, {"resource": "/system", "actions": ["read"], "groups": ["old"], "users": [BOB]},
        ])  # fmt: skip
        nifi.calls.clear()

        def stop(method: str, path: str, nifi: FakeNifi = nifi, stop_at: int = stop_at) -> None:
            if len(nifi.calls) >= stop_at:
                raise KeyboardInterrupt

        nifi.before_change = stop
        allowed = _nifi_reconcile.read(nifi).facts | _nifi_access.declared([], wanted, VIEWER)
        try:
            run(nifi, wanted, policies=VIEWER)
        except KeyboardInterrupt:
            left = _nifi_reconcile.read(nifi).facts
            assert left <= allowed
            if ("user", ALICE) in left:
                assert ("user", BOB) not in left
        nifi.before_change = lambda method, path: None
        run(nifi, wanted, policies=VIEWER)
        assert not run(nifi, wanted, policies=VIEWER).plan


def test_a_thousand_members_are_one_call_beside_their_creation() -> None:
    nifi = FakeNifi()
    people = [f"CN=user {number},OU=Analytics,O=Platform" for number in range(1000)]
    run(nifi, viewers(*people), policies=VIEWER)
    calls = [call for call in nifi.calls if call != "POST /tenants/users"]
    assert len(nifi.calls) - len(calls) == 1000
    assert len([call for call in calls if "user-groups" in call]) == 1
    nifi.calls.clear()
    run(nifi, viewers(), policies=VIEWER)
    assert len([call for call in nifi.calls if "user-groups" in call]) == 1


@pytest.mark.parametrize(
    ("users", "groups", "policies", "text"),
    [
        ([""], [], [], "user ''"),
        ([" alice"], [], [], "blanks"),
        ([], [{"name": "a", "users": []}, {"name": "a", "users": []}], [], "declared twice"),
        ([], [], [{"resource": "/flow", "actions": ["read"], "groups": ["b"]}], "'b', which is not declared"),
        ([], [], [{"resource": "/flow", "actions": ["delete"]}], "'delete' on /flow"),
        ([], [], [{"resource": "flow", "actions": ["read"]}], "'flow' is not one of NiFi's"),
        ([], [], [{"resource": "/flow/../x y", "actions": ["read"]}], "is not one of NiFi's"),
    ],
)
def test_errors_name_the_value(users, groups, policies, text) -> None:
    with pytest.raises(_nifi_access.AccessError, match=re.escape(text)):
        _nifi_access.declared(users, groups, policies)


@pytest.mark.parametrize(
    "resource", ["/process-groups/root", "/data/process-groups/root", "/flow", "/policies/process-groups/root"]
)
def test_root_stands_for_the_root_process_group(resource: str) -> None:
    absolute = _nifi_access.absolute(resource, ROOT)
    assert "root" not in absolute
    assert _nifi_access.relative(absolute, ROOT) == resource


def test_info_has_the_form_of_the_declaration() -> None:
    nifi = FakeNifi()
    run(nifi, viewers(BOB), policies=VIEWER)
    found = _nifi_access.described(_nifi_reconcile.read(nifi))
    assert found["groups"] == [{"name": "role-viewer", "users": [BOB]}]
    assert {"resource": "/process-groups/root", "action": "read", "users": [], "groups": ["role-viewer"]} in found[
        "policies"
    ]
    assert found["identity"] == AUTOMATION
