# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Flow definitions: what counts in them, and what does not."""

from __future__ import annotations

import copy
import json

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi_flow


def definition(prefix: str = "a") -> dict:
    """Two processors and a service, as a NiFi exports them; identifiers begin with the prefix."""

    def processor(number: int, name: str, **properties: str) -> dict:
        return {
            "identifier": f"{prefix}-{number}",
            "instanceIdentifier": f"{prefix}-instance-{number}",
            "groupIdentifier": f"{prefix}-group",
            "componentType": "PROCESSOR",
            "name": name,
            "comments": "",
            "position": {"x": 0.0, "y": float(number)},
            "properties": {"Service": f"{prefix}-9", "Empty": None, **properties},
            "propertyDescriptors": {"Service": {"identifiesControllerService": True}},
            "autoTerminatedRelationships": ["success", "original"],
            "scheduledState": "ENABLED",
        }

    return {
        "flowContents": {
            "identifier": f"{prefix}-group",
            "componentType": "PROCESS_GROUP",
            "name": "flights",
            "position": {"x": 1.0, "y": 2.0},
            "processors": [
                processor(1, "Fetch", Bucket="#{landing.bucket}"),
                processor(2, "Put", Bucket="#{'my bucket'}"),
            ],
            "controllerServices": [
                {
                    "identifier": f"{prefix}-9",
                    "componentType": "CONTROLLER_SERVICE",
                    "name": "Map",
                    "scheduledState": "DISABLED",
                }
            ],
            "connections": [
                {
                    "identifier": f"{prefix}-5",
                    "componentType": "CONNECTION",
                    "source": {"id": f"{prefix}-1", "name": "Fetch"},
                    "destination": {"id": f"{prefix}-2", "name": "Put"},
                    "selectedRelationships": ["success"],
                    "bends": [{"x": 2.0, "y": 1.0}, {"x": 1.0, "y": 1.0}],
                }
            ],
            "processGroups": [],
        },
        "parameterContexts": {"flights": {"parameters": []}},
    }


def test_another_installation_runs_the_same_flow() -> None:
    other = definition("b")
    other["flowContents"]["processors"].reverse()
    other["flowContents"]["processors"][0]["autoTerminatedRelationships"].reverse()
    other["flowContents"]["controllerServices"][0]["scheduledState"] = "ENABLED"
    other["flowContents"]["position"] = {"x": 500.0, "y": 0.0}
    assert _nifi_flow.normalised(other) == _nifi_flow.normalised(definition())


@pytest.mark.parametrize(
    "change",
    [
        lambda flow: flow["processors"][0]["properties"].update(Bucket="other"),
        lambda flow: flow["processors"][0].update(scheduledState="DISABLED"),
        lambda flow: flow["processors"][0]["autoTerminatedRelationships"].pop(),
        lambda flow: flow["processors"][0].update(name="Fetch it"),
        lambda flow: flow["processors"][0]["properties"].pop("Service"),
        lambda flow: flow["connections"][0].update(selectedRelationships=["failure"]),
        lambda flow: flow["connections"][0]["bends"].reverse(),
        lambda flow: flow["connections"].clear(),
        lambda flow: flow.update(comments="changed"),
        lambda flow: flow["processGroups"].append({"identifier": "g", "name": "inner", "comments": "x"}),
    ],
)
def test_what_somebody_changed_is_seen(change) -> None:
    changed = definition()
    change(changed["flowContents"])
    assert _nifi_flow.normalised(changed) != _nifi_flow.normalised(definition())


@pytest.mark.parametrize(
    ("artifact", "group", "same"),
    [
        ("nifi-update-attribute-nar", "org.apache.nifi", True),
        ("python-extensions", "org.apache.nifi", False),
        ("own-nar", "org.example", False),
    ],
)
def test_an_upgraded_nifi_runs_the_same_flow_with_its_own_bundles(artifact: str, group: str, same: bool) -> None:
    flows = [definition(), definition()]
    for flow, version in zip(flows, ("2.3.0", "2.4.0"), strict=True):
        flow["flowContents"]["processors"][0]["bundle"] = {"group": group, "artifact": artifact, "version": version}
    assert (_nifi_flow.normalised(flows[0]) == _nifi_flow.normalised(flows[1])) is same
    flows[1]["flowContents"]["processors"][0]["bundle"]["artifact"] = "another"
    assert _nifi_flow.normalised(flows[0]) != _nifi_flow.normalised(flows[1])


def test_a_difference_reads_by_names() -> None:
    text = _nifi_flow.text(_nifi_flow.normalised(definition()))
    assert '"Fetch -> Put: success"' in text
    assert '"Service": "controllerServices:Map"' in text
    assert "a-1" not in text


def test_two_components_with_one_name_are_refused() -> None:
    double = definition()
    double["flowContents"]["processors"][1]["name"] = "Fetch"
    with pytest.raises(_nifi_flow.FlowError, match="two processors named 'Fetch'"):
        _nifi_flow.normalised(double)
    with pytest.raises(_nifi_flow.FlowError, match="no flowContents"):
        _nifi_flow.normalised({})


def test_parameters_come_from_the_environment() -> None:
    flow = definition()
    assert _nifi_flow.parameters_used(flow) == {"landing.bucket", "my bucket"}
    with pytest.raises(_nifi_flow.FlowError, match=r"flow flights uses parameters without a value: landing\.bucket"):
        _nifi_flow.snapshot(flow, "flights", {"my bucket": "b"})
    before = copy.deepcopy(flow)
    sent = _nifi_flow.snapshot(flow, "other", {"my bucket": "b", "landing.bucket": "l"})
    assert flow == before
    assert sent["flowContents"]["name"] == sent["flowContents"]["parameterContextName"] == "other"
    values = {one["name"]: one["value"] for one in sent["parameterContexts"]["other"]["parameters"]}
    assert values == {"my bucket": "b", "landing.bucket": "l"}


def test_a_file_holds_nothing_of_one_installation() -> None:
    kept = _nifi_flow.portable(definition())
    text = json.dumps(kept)
    assert "instanceIdentifier" not in text
    assert "parameterContexts" not in kept
    assert _nifi_flow.normalised(kept) == _nifi_flow.normalised(definition())
    assert _nifi_flow.portable(kept) == kept
