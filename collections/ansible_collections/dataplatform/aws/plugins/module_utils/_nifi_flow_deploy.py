# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Bring one process group below the root to its definition: create it, replace it in place, set parameters, start and stop.

Private to this collection; imports nothing from ansible.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, field

from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi_access, _nifi_flow, _nifi_reconcile
from ansible_collections.dataplatform.aws.plugins.module_utils._nifi import Client, NifiError
from ansible_collections.dataplatform.aws.plugins.module_utils._nifi_flow import Definition

ROOT = "root"
RUNNING, STOPPED, PRESENT, ABSENT = STATES = ("running", "stopped", "present", "absent")
POLL_SECONDS = 0.5
NEW: dict[str, t.Any] = {"version": 0}
# What deploying takes. Processors that touch the host's files are restricted components.
POLICIES = (
    ("/process-groups/root", "read"),
    ("/process-groups/root", "write"),
    ("/parameter-contexts", "read"),
    ("/parameter-contexts", "write"),
    ("/restricted-components", "write"),
)


@dataclass
class Outcome:
    """What was found, and what was (or, in a dry run, would be) done."""

    id: str = ""
    actions: list[str] = field(default_factory=list)
    before: str = ""
    after: str = ""
    state: str = ABSENT


@dataclass(frozen=True)
class Flow:
    """What is wanted of one process group. ``definition`` may be None when the group shall be absent."""

    name: str
    definition: Definition | None
    parameters: dict[str, str]
    state: str


class Deployment:
    """One flow on one NiFi. ``timeout``: seconds that NiFi may take for a step that it does in the background."""

    def __init__(self, client: Client, flow: Flow, check: bool, timeout: int) -> None:
        self.client, self.flow, self.check, self.timeout = client, flow, check, timeout
        self.outcome = Outcome()

    def ensure(self) -> Outcome:
        """:raises NifiError: NiFi did not answer, refused, or did not come to an end in time"""
        group = self._find()
        if self.flow.state == ABSENT:
            self._remove(group)
            return self.outcome
        if self.flow.definition is None:
            raise _nifi_flow.FlowError(f"{self.flow.name} has no definition; only an absent flow needs none")
        wanted = _nifi_flow.snapshot(self.flow.definition, self.flow.name, self.flow.parameters)
        left_over = self._parameters()
        self._definition(group, wanted)
        self._remove_parameters(left_over)
        if self.outcome.id:
            self._services()
            self._state()
        elif self.check and self.flow.state == RUNNING:
            self.outcome.actions.append("start")
        return self.outcome

    def _find(self) -> Definition | None:
        groups = self.client.get(f"/process-groups/{ROOT}/process-groups")["processGroups"]
        found = [group for group in groups if group["component"]["name"] == self.flow.name]
        if len(found) > 1:
            ids = ", ".join(group["id"] for group in found)
            raise NifiError(
                f"NiFi has {len(found)} process groups named {self.flow.name}: {ids}; rename or remove all but one"
            )
        if found:
            self.outcome.id = found[0]["id"]
        return found[0] if found else None

    # Parameters

    def _parameters(self) -> list[str]:
        """Add and change; names of those that are left over. They go when the flow no longer refers to them."""
        wanted = self.flow.parameters
        entity = self._context()
        have = _values(entity)
        self.outcome.before += _lines(have)
        self.outcome.after += _lines(wanted)
        if entity is None:
            if wanted and self._do("create parameters"):
                component = {
                    "name": self.flow.name,
                    "parameters": [_parameter(key, wanted[key]) for key in sorted(wanted)],
                }
                self.client.post("/parameter-contexts", {"revision": NEW, "component": component})
            return []
        changed = [_parameter(key, wanted[key]) for key in sorted(wanted) if have.get(key) != wanted[key]]
        if changed and self._do("set parameters"):
            self._update(entity, changed)
        return sorted(set(have) - set(wanted))

    def _remove_parameters(self, names: list[str]) -> None:
        entity = self._context()
        if entity is not None and names and self._do("remove parameters"):
            self._update(entity, [{"parameter": {"name": name}} for name in names])

    def _context(self) -> Definition | None:
        """The parameter context of the flow's name, with its revision."""
        for one in self.client.get("/flow/parameter-contexts")["parameterContexts"]:
            if one.get("component", {}).get("name") == self.flow.name:
                return dict(self.client.get(f"/parameter-contexts/{one['id']}"))
        return None

    def _update(self, entity: Definition, parameters: list[Definition]) -> None:
        """NiFi stops what refers to the parameters, and starts it again afterwards."""
        component = {"id": entity["id"], "name": self.flow.name, "parameters": parameters}
        body = {"id": entity["id"], "revision": entity["revision"], "component": component}
        path = f"/parameter-contexts/{entity['id']}/update-requests"
        self._request(path, path, body, "set parameters")

    # Definition

    def _definition(self, group: Definition | None, wanted: Definition) -> None:
        want = _nifi_flow.text(_nifi_flow.normalised(wanted))
        self.outcome.after += want
        if group is None:
            if self._do("create"):
                self.outcome.id = self._create(wanted)
            return
        found = self.client.get(f"/process-groups/{group['id']}/download?includeReferencedServices=false")
        have = _nifi_flow.text(_nifi_flow.normalised(found))
        self.outcome.before += have
        if have != want and self._do("replace"):
            body = {
                "processGroupRevision": group["revision"],
                "versionedFlowSnapshot": wanted,
                "disconnectedNodeAcknowledged": False,
            }
            path = f"/process-groups/{group['id']}/replace-requests"
            self._request(path, "/process-groups/replace-requests", body, "replace")

    def _create(self, wanted: Definition) -> str:
        body = {
            "groupName": self.flow.name,
            "revisionDTO": NEW,
            "positionDTO": self._free_place(),
            "flowSnapshot": wanted,
            "disconnectedNodeAcknowledged": False,
        }
        root = self.client.get(f"/flow/process-groups/{ROOT}?uiOnly=true")["processGroupFlow"]["id"]
        body["groupId"] = root
        return str(self.client.post(f"/process-groups/{root}/process-groups/import", body)["id"])

    def _free_place(self) -> dict[str, float]:
        """Below the other groups of the canvas."""
        groups = self.client.get(f"/process-groups/{ROOT}/process-groups")["processGroups"]
        places = [group["component"]["position"]["y"] for group in groups if group["component"].get("position")]
        return {"x": 0.0, "y": max(places) + 240.0 if places else 0.0}

    def _remove(self, group: Definition | None) -> None:
        if group is None or not self._do("remove"):
            return
        path = f"/process-groups/{group['id']}"
        queued = self.client.get(f"/flow{path}/status")["processGroupStatus"]["aggregateSnapshot"]["flowFilesQueued"]
        if queued:
            raise NifiError(
                f"{self.flow.name} holds {queued} FlowFiles; let it run until they are through, or empty its queues"
            )
        self.client.put(f"/flow{path}", {"id": group["id"], "state": "STOPPED"})
        self._wait(lambda: not self._group()["runningCount"], f"{self.flow.name} does not stop")
        self.client.put(f"/flow{path}/controller-services", {"id": group["id"], "state": "DISABLED"})
        self._wait(lambda: not self._services_in("ENABLED", "DISABLING"), f"services of {self.flow.name} do not stop")
        self.client.delete(path, self._group()["revision"]["version"])

    # State

    def _services(self) -> None:
        if self._services_in("DISABLED") and self._do("enable services"):
            path = f"/flow/process-groups/{self.outcome.id}/controller-services"
            self.client.put(path, {"id": self.outcome.id, "state": "ENABLED"})
            self._wait(lambda: not self._services_in("DISABLED", "ENABLING"), self._invalid)

    def _services_in(self, *states: str) -> list[str]:
        path = f"/flow/process-groups/{self.outcome.id}/controller-services?includeAncestorGroups=false&includeDescendantGroups=true"
        services = self.client.get(path)["controllerServices"]
        return [one["component"]["name"] for one in services if one["component"]["state"] in states]

    def _state(self) -> None:
        if self.flow.state in (RUNNING, PRESENT) and not self.check:
            # A Python processor is invalid until NiFi has started a process for it.
            self._wait(lambda: not self._group().get("invalidCount") and not self._validating(), self._invalid)
        group = self._group()
        idle, running = group.get("stoppedCount", 0) + group.get("invalidCount", 0), group.get("runningCount", 0)
        if self.flow.state == RUNNING and idle and self._do("start"):
            self._put_state("RUNNING")
            self._wait(lambda: not self._group().get("stoppedCount"), self._invalid)
        elif self.flow.state == STOPPED and running and self._do("stop"):
            self._put_state("STOPPED")
            self._wait(lambda: not self._group().get("runningCount"), f"{self.flow.name} does not stop")
        self.outcome.state = RUNNING if self._group().get("runningCount") else STOPPED

    def _put_state(self, state: str) -> None:
        self.client.put(f"/flow/process-groups/{self.outcome.id}", {"id": self.outcome.id, "state": state})

    def _group(self) -> Definition:
        return dict(self.client.get(f"/process-groups/{self.outcome.id}"))

    def _processors(self) -> list[Definition]:
        path = f"/process-groups/{self.outcome.id}/processors?includeDescendantGroups=true"
        return [one["component"] for one in self.client.get(path)["processors"]]

    def _validating(self) -> bool:
        return any(one.get("validationStatus") == "VALIDATING" for one in self._processors())

    def _invalid(self) -> str:
        errors = [
            f"{one['name']}: {'; '.join(one['validationErrors'])}"
            for one in self._processors()
            if one.get("validationErrors") and one.get("state") != "DISABLED"
        ]
        return f"{self.flow.name} cannot run: {' / '.join(errors) or 'NiFi says no more'}"

    # Steps

    def _do(self, action: str) -> bool:
        """Note the action; whether to carry it out."""
        self.outcome.actions.append(action)
        return not self.check

    def _request(self, path: str, requests: str, body: Definition, what: str) -> None:
        """Something that NiFi does in the background, to its end."""
        request = self.client.post(path, body)["request"]
        address = f"{requests}/{request['requestId']}"
        try:
            deadline = time.monotonic() + self.timeout
            while not request["complete"]:
                if time.monotonic() > deadline:
                    raise NifiError(f"{what} of {self.flow.name}: not within {self.timeout} s: {request.get('state')}")
                time.sleep(POLL_SECONDS)
                request = self.client.get(address)["request"]
            if request.get("failureReason"):
                raise NifiError(f"{what} of {self.flow.name}: {request['failureReason']}")
        finally:
            self.client.delete(address, 0)

    def _wait(self, condition: t.Callable[[], bool], otherwise: str | t.Callable[[], str]) -> None:
        deadline = time.monotonic() + self.timeout
        while not condition():
            if time.monotonic() > deadline:
                raise NifiError(otherwise if isinstance(otherwise, str) else otherwise())
            time.sleep(POLL_SECONDS)


def grant(client: Client, check: bool) -> list[str]:
    """Give whoever asks the policies that deploying takes, and take nothing from anybody. Returns what was added.

    NiFi's initial admin may do that, and has none of them before.
    """
    state = _nifi_reconcile.read(client)
    needed = {("grant", resource, action, "user", state.caller) for resource, action in POLICIES}
    outcome = _nifi_reconcile.reconcile(client, state.facts | needed, [], check)
    return _nifi_access.lines(outcome.plan.added)


def _values(context: Definition | None) -> dict[str, str | None]:
    """Parameter → value of a context; none without one."""
    parameters = context["component"]["parameters"] if context else []
    return {one["parameter"]["name"]: one["parameter"].get("value") for one in parameters}


def _lines(values: t.Mapping[str, str | None]) -> str:
    return "".join(f"{key}={values[key]}\n" for key in sorted(values))


def _parameter(name: str, value: str) -> Definition:
    return {"parameter": {"name": name, "value": value, "sensitive": False, "description": ""}}


def download(client: Client, name: str) -> Definition | None:
    """The definition that NiFi runs under this name, as a file would hold it; None when there is no such group."""
    groups = client.get(f"/process-groups/{ROOT}/process-groups")["processGroups"]
    for group in groups:
        if group["component"]["name"] == name:
            path = f"/process-groups/{group['id']}/download?includeReferencedServices=false"
            return _nifi_flow.portable(client.get(path))
    return None
