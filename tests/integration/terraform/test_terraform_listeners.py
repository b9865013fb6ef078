"""No listener may lead to an edge without verifying the client: behind it anybody could write identity headers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]


def of_type(plan: dict[str, Any], kind: str) -> Iterator[dict[str, Any]]:
    """Planned values of all resources of a type, with their addresses."""

    def walk(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for resource in module.get("resources", []):
            if resource["type"] == kind and resource["mode"] == "managed":
                yield {"address": resource["address"], **resource.get("values", {})}
        for child in module.get("child_modules", []):
            yield from walk(child)

    return walk(plan["planned_values"]["root_module"])


def configured(plan: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address within its module and expressions of all resources of a type."""

    def walk(module: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        for resource in module.get("resources", []):
            if resource["type"] == kind:
                yield resource["address"], resource["expressions"]
        for call in module.get("module_calls", {}).values():
            yield from walk(call["module"])

    return walk(plan["configuration"]["root_module"])


def unverified_ways_in(plan: dict[str, Any]) -> list[str]:
    """Listeners that forward, by default action or by a rule, without `mutual_authentication { mode = "verify" }`.

    A rule whose listener can't be told from the configuration counts for every listener that is not a plain redirect.
    """
    forwarding_rules = [rule for rule in of_type(plan, "aws_lb_listener_rule") if forwards(rule["action"])]
    bad = []
    for listener in of_type(plan, "aws_lb_listener"):
        modes = [block["mode"] for block in listener.get("mutual_authentication") or []]
        only_redirects = all(action["type"] == "redirect" for action in listener["default_action"])
        reached = forwards(listener["default_action"]) or (bool(forwarding_rules) and not only_redirects)
        if reached and (listener["protocol"] != "HTTPS" or modes != ["verify"]):
            bad.append(
                f"{listener['address']}: protocol {listener['protocol']}, mutual authentication {modes or 'off'}"
            )
    return bad


def forwards(actions: list[dict[str, Any]]) -> bool:
    return any(action["type"].startswith("forward") for action in actions)


@pytest.mark.terraform
@pytest.mark.parametrize("env", ["dev", "ppd", "prod"])
def test_every_way_in_verifies_the_client(
    env: str, planner: Callable[..., dict[str, Any]], example: Callable[[str], dict[str, Any]]
) -> None:
    plan = planner(env, example(env), "own")
    assert unverified_ways_in(plan) == []
    # Rules hang on the one HTTPS listener, and not on the one that redirects.
    rules = dict(configured(plan, "aws_lb_listener_rule"))
    assert rules
    assert all("var.listener_arn" in rule["listener_arn"]["references"] for rule in rules.values())
    assert len(list(of_type(plan, "aws_lb"))) == 1


@pytest.mark.terraform
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"mode": "verify"', '"mode": "passthrough"'),
        ('"mode": "verify"', '"mode": "off"'),
        ('"protocol": "HTTPS"', '"protocol": "HTTP"'),
    ],
)
def test_a_weaker_listener_is_noticed(
    before: str,
    after: str,
    planner: Callable[..., dict[str, Any]],
    example: Callable[[str], dict[str, Any]],
) -> None:
    plan = json.dumps(planner("dev", example("dev"), "own"))
    assert before in plan
    assert unverified_ways_in(json.loads(plan.replace(before, after)))
