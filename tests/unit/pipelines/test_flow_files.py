"""Promises that can be read off the flow definitions themselves."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi_flow

ROOT = Path(__file__).resolve().parents[3]
FLOWS = sorted((ROOT / "pipelines" / "flows").glob("*.json"))
PARAMETERS = yaml.safe_load((ROOT / "pipelines" / "flows" / "parameters.yml").read_text())


@pytest.fixture(params=FLOWS, ids=lambda path: path.stem)
def flow(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param.stem, json.loads(request.param.read_text())


def test_nothing_that_failed_is_dropped(flow: tuple[str, dict[str, Any]]) -> None:
    contents = flow[1]["flowContents"]
    for processor in contents["processors"]:
        # An answer to a producer that has gone away is all that may be dropped: its records are in the flow.
        if processor["type"].endswith("HandleHttpResponse"):
            continue
        dropped = set(processor["autoTerminatedRelationships"])
        assert not dropped & {"failure", "rejected", "retry", "merged", "large", "unmatched"}, processor["name"]
        connected = {
            name
            for connection in contents["connections"]
            if connection["source"]["id"] == processor["identifier"]
            for name in connection["selectedRelationships"]
        }
        if processor["type"] == "PutLakeObject":
            assert {"failure", "rejected"} <= connected
            assert processor["retriedRelationships"] == ["failure"]
            assert processor["backoffMechanism"] == "PENALIZE_FLOWFILE"
    assert not [one for one in contents["connections"] if one.get("flowFileExpiration", "0 sec") != "0 sec"]


def test_every_parameter_has_a_value_and_every_value_a_use(flow: tuple[str, dict[str, Any]]) -> None:
    name, definition = flow
    assert _nifi_flow.parameters_used(definition) == set(PARAMETERS["flow_parameters"][name])


def test_the_file_is_as_nifi_flow_info_writes_it(flow: tuple[str, dict[str, Any]]) -> None:
    name, definition = flow
    text = (ROOT / "pipelines" / "flows" / f"{name}.json").read_text()
    assert json.dumps(_nifi_flow.portable(definition), indent=1, ensure_ascii=False) + "\n" == text
    assert not re.search(r"https?://|arn:aws", text)


def test_producers_reach_the_listener_over_loopback_only() -> None:
    definition = json.loads((ROOT / "pipelines" / "flows" / "flights-stream.json").read_text())
    (listener,) = [one for one in definition["flowContents"]["processors"] if one["type"].endswith("HandleHttpRequest")]
    assert listener["properties"]["Hostname"] == "#{listen.host}"
    assert PARAMETERS["flow_parameters"]["flights-stream"]["listen.host"] == "127.0.0.1"


def test_the_processors_version_is_the_flows() -> None:
    versions = {
        (one["type"], one["bundle"]["version"])
        for path in FLOWS
        for one in json.loads(path.read_text())["flowContents"]["processors"]
        if one["bundle"]["artifact"] == "python-extensions"
    }
    for name, version in versions:
        source = (ROOT / "pipelines" / "processors" / "lake" / f"{name}.py").read_text()
        assert f'version = "{version}"' in source
