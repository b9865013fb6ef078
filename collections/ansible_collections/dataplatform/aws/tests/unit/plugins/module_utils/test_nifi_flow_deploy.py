# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Deploying a flow, against a NiFi of a few dictionaries. The real one is asked in the project's integration tests."""

from __future__ import annotations

import copy
import typing as t

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_flow, _nifi_flow_deploy

DEFINITION: dict[str, t.Any] = {
    "flowContents": {
        "identifier": "i",
        "processors": [{"identifier": "p", "name": "Fetch", "properties": {"Bucket": "#{bucket}"}}],
    }
}


class FakeNifi:
    """One process group at most, one parameter context at most. Keeps what was asked."""

    def __init__(self) -> None:
        self.groups: list[dict[str, t.Any]] = []
        self.contexts: list[dict[str, t.Any]] = []
        self.queued, self.failure, self.calls = 0, "", list[str]()

    def get(self, path: str) -> t.Any:
        if path == "/flow/parameter-contexts":
            return {"parameterContexts": self.contexts}
        if path.startswith("/parameter-contexts/"):
            return self.contexts[0]
        if path == "/process-groups/root/process-groups":
            return {"processGroups": self.groups}
        if path.startswith("/flow/process-groups/root"):
            return {"processGroupFlow": {"id": "root-id"}}
        if "/download" in path:
            return self.groups[0]["definition"]
        if path.endswith("/status"):
            return {"processGroupStatus": {"aggregateSnapshot": {"flowFilesQueued": self.queued}}}
        if "controller-services" in path:
            return {"controllerServices": []}
        if "/processors" in path:
            return {"processors": []}
        return self.groups[0]

    def post(self, path: str, body: t.Any) -> t.Any:
        self.calls.append(f"POST {path}")
        if path == "/parameter-contexts":
            self.contexts.append({"id": "c", "revision": {}, "component": body["component"]})
            return {}
        if path.endswith("/import"):
            component = {"name": body["groupName"], "position": body["positionDTO"]}
            group = {
                "id": "g",
                "revision": {"version": 1},
                "component": component,
                "stoppedCount": 1,
                "runningCount": 0,
            }
            self.groups.append({**group, "definition": copy.deepcopy(body["flowSnapshot"])})
            return {"id": "g"}
        if not self.failure and path.endswith("/replace-requests"):
            self.groups[0]["definition"] = body["versionedFlowSnapshot"]
        if path.endswith("/update-requests"):
            have = {one["parameter"]["name"]: one for one in self.contexts[0]["component"]["parameters"]}
            for one in body["component"]["parameters"]:
                have.pop(one["parameter"]["name"], None)
                if "value" in one["parameter"]:
                    have[one["parameter"]["name"]] = one
            self.contexts[0]["component"]["parameters"] = list(have.values())
        return {"request": {"requestId": "r", "complete": True, "failureReason": self.failure}}

    def put(self, path: str, body: t.Any) -> t.Any:
        self.calls.append(f"PUT {path} {body.get('state')}")
        running = body["state"] == "RUNNING"
        self.groups[0].update(runningCount=int(running), stoppedCount=int(not running))

    def delete(self, path: str, version: int) -> None:
        self.calls.append(f"DELETE {path}")
        if path == "/process-groups/g":
            self.groups.clear()


def deploy(nifi: FakeNifi, state: str = "present", check: bool = False, bucket: str = "b", **parameters: str):
    flow = _nifi_flow_deploy.Flow("flights", DEFINITION, {"bucket": bucket, **parameters}, state)
    client = t.cast("_nifi.Client", nifi)
    return _nifi_flow_deploy.Deployment(client, flow, check, 1).ensure()


def test_made_once_and_started() -> None:
    nifi = FakeNifi()
    assert deploy(nifi, "running", check=True).actions == ["create parameters", "create", "start"]
    assert nifi.calls == []
    made = deploy(nifi, "running")
    assert (made.actions, made.state, made.id) == (["create parameters", "create", "start"], "running", "g")
    assert deploy(nifi, "running").actions == []
    assert deploy(nifi).actions == []


def test_only_parameters_that_differ_are_set_and_others_go() -> None:
    nifi = FakeNifi()
    deploy(nifi, more="1")
    changed = deploy(nifi, bucket="other")
    # what is no longer wanted goes last, when nothing refers to it any more
    assert changed.actions == ["set parameters", "remove parameters"]
    assert "more=1" in changed.before
    assert "bucket=other" in changed.after
    assert deploy(nifi, bucket="other").actions == []


def test_a_flow_without_values_for_its_parameters_changes_nothing() -> None:
    nifi = FakeNifi()
    deploy(nifi)
    nifi.calls.clear()
    flow = _nifi_flow_deploy.Flow("flights", DEFINITION, {}, "running")
    with pytest.raises(_nifi_flow.FlowError, match="without a value: bucket"):
        _nifi_flow_deploy.Deployment(t.cast("_nifi.Client", nifi), flow, False, 1).ensure()
    assert nifi.calls == []


def test_what_nifi_says_no_to_is_an_error_and_its_request_is_taken_back() -> None:
    nifi = FakeNifi()
    deploy(nifi)
    nifi.groups[0]["definition"]["flowContents"]["processors"][0]["properties"]["Bucket"] = "by hand"
    nifi.failure = "the connection holds FlowFiles"
    with pytest.raises(_nifi.NifiError, match="replace of flights: the connection holds FlowFiles"):
        deploy(nifi)
    assert nifi.calls[-1] == "DELETE /process-groups/replace-requests/r"


def test_a_flow_with_flowfiles_is_not_removed() -> None:
    nifi = FakeNifi()
    deploy(nifi, "running")
    nifi.queued = 3
    with pytest.raises(_nifi.NifiError, match="holds 3 FlowFiles"):
        deploy(nifi, "absent")
    nifi.queued = 0
    assert deploy(nifi, "absent").actions == ["remove"]
    assert nifi.calls[-3:] == [
        "PUT /flow/process-groups/g STOPPED",
        "PUT /flow/process-groups/g/controller-services DISABLED",
        "DELETE /process-groups/g",
    ]


def test_groups_of_one_name_are_not_guessed_between() -> None:
    nifi = FakeNifi()
    nifi.groups = [{"id": name, "component": {"name": "flights"}} for name in ("g1", "g2")]
    with pytest.raises(_nifi.NifiError, match="2 process groups named flights: g1, g2"):
        deploy(nifi)
