# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read who may do what from a NiFi, and carry out a plan of changes with as few calls as NiFi allows.

Four calls read users and groups, and one each policy. A change of a group's members is one call, whatever their number;
only users have to be made one by one, several at a time. Private to this collection; imports nothing from ansible.
"""

from __future__ import annotations

import typing as t
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils._nifi import (
    Client,
    NifiError,
    Outdated,
    Refused,
    Unreachable,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._nifi_access import (
    Entity,
    Fact,
    Plan,
    PolicyKey,
    State,
    absolute,
    grantees,
    members,
    plan,
    relative,
)

ATTEMPTS = 3


@dataclass
class Outcome:
    """What was found at first, and what was added and removed since."""

    before: State
    plan: Plan


def read(client: Client) -> State:
    """Users, groups, and the policies that somebody holds."""
    caller, root, users, groups = client.each(
        client.get,
        ["/flow/current-user", "/flow/process-groups/root?uiOnly=true", "/tenants/users", "/tenants/user-groups"],
    )
    state = State(root=root["processGroupFlow"]["id"], caller=caller["identity"])
    held: set[str] = set()
    for entity in users["users"]:
        identity = entity["component"]["identity"]
        state.users[identity] = _entity(entity)
        state.facts.add(("user", identity))
        held |= _policy_ids(entity)
    for entity in groups["userGroups"]:
        name = entity["component"]["identity"]
        state.groups[name] = _entity(entity)
        state.facts.add(("group", name))
        state.facts |= {("member", name, user["component"]["identity"]) for user in entity["component"]["users"]}
        held |= _policy_ids(entity)
    # A user's own list names the policies of their groups as well; who holds a policy only the policy itself says.
    for entity in client.each(client.get, [f"/policies/{identifier}" for identifier in sorted(held)]):
        _read_policy(state, entity)
    return state


def _entity(entity: dict[str, t.Any]) -> Entity:
    component = entity["component"]
    return Entity(entity["id"], entity["revision"]["version"], component.get("configurable", True))


def _policy_ids(holder: dict[str, t.Any]) -> set[str]:
    return {summary["id"] for summary in holder["component"]["accessPolicies"]}


def _read_policy(state: State, entity: dict[str, t.Any]) -> None:
    component = entity["component"]
    key = relative(component["resource"], state.root), component["action"]
    state.policies[key] = _entity(entity)
    for kind, holders in (("user", component["users"]), ("group", component["userGroups"])):
        state.facts |= {("grant", *key, kind, holder["component"]["identity"]) for holder in holders}


def reconcile(client: Client, wanted: Collection[Fact], protected: Collection[str], check: bool = False) -> Outcome:
    """Bring NiFi to what is wanted; with ``check`` only say what would change.

    Removals come before additions: whoever breaks this off leaves nobody with more than they should have. When somebody
    else changes the same things meanwhile, everything is read and planned anew.

    :raises NifiError: NiFi did not answer, or refused
    """
    before = state = read(client)
    done = todo = plan(state, wanted, protected)
    for attempt in range(1, ATTEMPTS + 1):
        if check or not todo:
            break
        try:
            _Changes(client, state, todo).carry_out()
            break
        except (Outdated, Unreachable) as error:
            if attempt == ATTEMPTS:
                raise
            state = _read_again(client, error)
            todo = plan(state, wanted, protected)
    return Outcome(before, done)


def _read_again(client: Client, error: NifiError) -> State:
    try:
        return read(client)
    except Unreachable:
        raise error from None


class _Changes:
    """Carries out one plan. ``state`` follows: identifiers and revisions of what is made and changed."""

    def __init__(self, client: Client, state: State, todo: Plan) -> None:
        self.client, self.state, self.todo = client, state, todo
        self.left = state.facts - todo.removed  # between removals and additions
        self.final = self.left | todo.added

    def carry_out(self) -> None:
        """Removals, then additions; in each what others refer to is there when they do."""
        removed, added = self.todo.removed, self.todo.added
        self.client.each(self._shrink_policy, sorted(grantees(removed)))
        gone = {fact[1] for fact in removed if fact[0] == "group"}
        self.client.each(self._delete_group, sorted(gone))
        # Also for users that are deleted next: that takes three times as long while they are members of a large group.
        self.client.each(self._shrink_group, sorted(set(members(removed)) - gone))
        self.client.each(self._delete_user, sorted(fact[1] for fact in removed if fact[0] == "user"))
        self.client.each(self._create_user, sorted(fact[1] for fact in added if fact[0] == "user"))
        new = {fact[1] for fact in added if fact[0] == "group"}
        self.client.each(self._fill_group, sorted(new | set(members(added))))
        self.client.each(self._fill_policy, sorted(grantees(added)))

    def _delete_user(self, identity: str) -> None:
        entity = self.state.users.pop(identity)
        self.client.delete(f"/tenants/users/{entity.id}", entity.version)

    def _delete_group(self, name: str) -> None:
        entity = self.state.groups.pop(name)
        self.client.delete(f"/tenants/user-groups/{entity.id}", entity.version)

    def _create_user(self, identity: str) -> None:
        body = {"revision": {"version": 0}, "component": {"identity": identity}}
        self.state.users[identity] = _entity(self.client.post("/tenants/users", body))

    def _shrink_group(self, name: str) -> None:
        self._set_group(name, members(self.left).get(name, set()))

    def _fill_group(self, name: str) -> None:
        self._set_group(name, members(self.final).get(name, set()))

    def _set_group(self, name: str, identities: Iterable[str]) -> None:
        component: dict[str, t.Any] = {
            "identity": name,
            "users": [
                {"id": self.state.users[identity].id} for identity in sorted(identities) if identity in self.state.users
            ],
        }
        entity = self.state.groups.get(name)
        if entity is None:
            answer = self.client.post("/tenants/user-groups", {"revision": {"version": 0}, "component": component})
        else:
            component["id"] = entity.id
            body = {"revision": {"version": entity.version}, "component": component}
            answer = self.client.put(f"/tenants/user-groups/{entity.id}", body)
        self.state.groups[name] = _entity(answer)

    def _shrink_policy(self, key: PolicyKey) -> None:
        left = grantees(self.left).get(key, set())
        if left or key in grantees(self.todo.added):
            self._set_policy(key, left)
        else:
            # An empty policy on a component would still hide the one it inherits.
            entity = self.state.policies.pop(key)
            self.client.delete(f"/policies/{entity.id}", entity.version)

    def _fill_policy(self, key: PolicyKey) -> None:
        self._set_policy(key, grantees(self.final)[key])

    def _set_policy(self, key: PolicyKey, grants: Iterable[Fact]) -> None:
        resource, action = key
        grants = sorted(grants)
        component: dict[str, t.Any] = {
            "resource": absolute(resource, self.state.root),
            "action": action,
            "users": [{"id": self.state.users[fact[4]].id} for fact in grants if fact[3] == "user"],
            "userGroups": [{"id": self.state.groups[fact[4]].id} for fact in grants if fact[3] == "group"],
        }
        entity = self.state.policies.get(key) or self._empty_policy(key)
        if entity is None:
            answer = self.client.post("/policies", {"revision": {"version": 0}, "component": component})
        else:
            component["id"] = entity.id
            body = {"revision": {"version": entity.version}, "component": component}
            answer = self.client.put(f"/policies/{entity.id}", body)
        self.state.policies[key] = _entity(answer)

    def _empty_policy(self, key: PolicyKey) -> Entity | None:
        """The policy that nobody holds, where there is one: reading by holders does not find it."""
        resource = absolute(key[0], self.state.root)
        try:
            found = self.client.get(f"/policies/{key[1]}{resource}")
        except Refused as error:
            if error.status == 404:
                return None
            raise
        # For a component without a policy of its own NiFi answers with the inherited one.
        return _entity(found) if found["component"]["resource"] == resource else None
