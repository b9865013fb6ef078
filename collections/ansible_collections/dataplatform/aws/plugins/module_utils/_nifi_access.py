# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may do what in NiFi, as a set of facts, and what has to change. Knows no network.

Facts are tuples: ``("user", identity)``, ``("group", name)``, ``("member", group, identity)`` and
``("grant", resource, action, kind, name)`` with the kind ``user`` or ``group``. What is declared and what NiFi has are
two sets of them, so that additions and removals are differences of sets.

``root`` in a resource stands for the identifier of the root process group. Private to this collection; imports nothing
from ansible.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

Fact = tuple[str, ...]
PolicyKey = tuple[str, str]  # resource, action

ACTIONS = ("read", "write")
ROOT = "/process-groups/root"
RESOURCE = re.compile(r"(/[A-Za-z0-9._-]+)+")


class AccessError(ValueError):
    """A declaration that cannot be meant. The message holds the value and what to do."""


@dataclass
class Entity:
    """A user, group or policy that NiFi has: its identifier, revision, and whether REST may change it."""

    id: str
    version: int = 0
    configurable: bool = True


@dataclass
class State:
    """What NiFi has."""

    root: str
    caller: str
    users: dict[str, Entity] = field(default_factory=dict)
    groups: dict[str, Entity] = field(default_factory=dict)
    policies: dict[PolicyKey, Entity] = field(default_factory=dict)
    facts: set[Fact] = field(default_factory=set)


@dataclass(frozen=True)
class Plan:
    """Facts to add and to remove."""

    added: frozenset[Fact]
    removed: frozenset[Fact]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def declared(
    users: Iterable[str], groups: Iterable[Mapping[str, t.Any]], policies: Iterable[Mapping[str, t.Any]]
) -> set[Fact]:
    """The facts of a declaration.

    users: identities that shall exist, members of groups included by themselves
    groups: ``{"name", "users": [identity]}``
    policies: ``{"resource", "actions": [action], "users": [identity], "groups": [name]}``

    :raises AccessError: an empty name, a group that is declared twice or not at all, an unknown action, a bad resource
    """
    facts: set[Fact] = {("user", _named("user", identity)) for identity in users}
    names: set[str] = set()
    for group in groups:
        name = _named("group", group["name"])
        if name in names:
            raise AccessError(f"group {name!r} is declared twice; merge its users into one entry")
        names.add(name)
        facts.add(("group", name))
        for identity in group.get("users") or ():
            facts |= {("user", _named("user", identity)), ("member", name, identity)}
    for policy in policies:
        facts |= _grants(policy, names)
    return facts


def _named(kind: str, name: str) -> str:
    if not name or name != name.strip():
        raise AccessError(f"{kind} {name!r}: a name is not empty and has no blanks around it")
    return name


def _grants(policy: Mapping[str, t.Any], groups: Collection[str]) -> set[Fact]:
    resource = policy["resource"]
    if not RESOURCE.fullmatch(resource):
        raise AccessError(
            f"resource {resource!r} is not one of NiFi's; write it like /flow or /data/process-groups/root"
        )
    facts: set[Fact] = set()
    for action in policy["actions"]:
        if action not in ACTIONS:
            raise AccessError(f"action {action!r} on {resource}: choose {' or '.join(ACTIONS)}")
        for name in policy.get("groups") or ():
            if name not in groups:
                raise AccessError(f"{action} {resource} is for group {name!r}, which is not declared; add it to groups")
            facts.add(("grant", resource, action, "group", name))
        for identity in policy.get("users") or ():
            facts |= {("user", _named("user", identity)), ("grant", resource, action, "user", identity)}
    return facts


def plan(state: State, wanted: Collection[Fact], protected: Collection[str]) -> Plan:
    """What to add and to remove so that NiFi has what is wanted.

    protected: identities and group names that lose nothing: they keep existing, and keep the memberships and grants
        that they hold. Whoever asks is protected as well, so that nobody saws off the branch they sit on.
    """
    keep = set(protected) | {state.caller}
    # A group that is not declared but has a protected member would take grants from that member: it stays, for it alone.
    keep |= {
        fact[1] for fact in state.facts if fact[0] == "member" and fact[2] in keep and ("group", fact[1]) not in wanted
    }
    fixed = {name for name, entity in {**state.users, **state.groups}.items() if not entity.configurable}
    removed = {
        fact
        for fact in state.facts - set(wanted)
        # the last part is who holds the fact: the user, the group, the member, the grantee
        if fact[-1] not in keep and not (fact[0] != "grant" and fact[1] in fixed)
    }
    return Plan(frozenset(set(wanted) - state.facts), frozenset(removed))


def grantees(facts: Iterable[Fact]) -> dict[PolicyKey, set[Fact]]:
    """Policy → its grants."""
    found: dict[PolicyKey, set[Fact]] = {}
    for fact in facts:
        if fact[0] == "grant":
            found.setdefault((fact[1], fact[2]), set()).add(fact)
    return found


def members(facts: Iterable[Fact]) -> dict[str, set[str]]:
    """Group → identities of its members."""
    found: dict[str, set[str]] = {}
    for fact in facts:
        if fact[0] == "member":
            found.setdefault(fact[1], set()).add(fact[2])
    return found


def absolute(resource: str, root: str) -> str:
    """The resource as NiFi names it."""
    return resource[: -len("root")] + root if resource.endswith(ROOT) else resource


def relative(resource: str, root: str) -> str:
    """The resource as it is declared: the inverse of absolute()."""
    return resource[: -len(root)] + "root" if root and resource.endswith(f"/process-groups/{root}") else resource


def lines(facts: Iterable[Fact]) -> list[str]:
    """One sorted line of text per fact."""
    return sorted(map(line, facts))


def line(fact: Fact) -> str:
    """``user IDENTITY``, ``group NAME``, ``member IDENTITY of NAME``, ``policy ACTION RESOURCE for group NAME``."""
    if fact[0] == "member":
        return f"member {fact[2]} of {fact[1]}"
    if fact[0] == "grant":
        return f"policy {fact[2]} {fact[1]} for {fact[3]} {fact[4]}"
    return f"{fact[0]} {fact[1]}"


def described(state: State) -> dict[str, t.Any]:
    """The state for people and for other modules: users, groups and policies, sorted."""
    member, grants = members(state.facts), grantees(state.facts)
    return {
        "root_process_group": state.root,
        "identity": state.caller,
        "users": sorted(state.users),
        "groups": [{"name": name, "users": sorted(member.get(name, ()))} for name in sorted(state.groups)],
        "policies": [
            {
                "resource": resource,
                "action": action,
                "users": sorted(fact[4] for fact in grants[resource, action] if fact[3] == "user"),
                "groups": sorted(fact[4] for fact in grants[resource, action] if fact[3] == "group"),
            }
            for resource, action in sorted(grants)
        ],
    }
