"""Environments are identical by construction: the same files, and plans that differ in values only."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driver import tftypes, tfvars

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENTS = ROOT / "terraform" / "environments"
OWN = {"sizing.auto.tfvars", "terraform.tfvars.example", "terraform.tfvars"}


def files(env: str) -> dict[str, bytes]:
    """The sources of an environment, but for those that hold its values."""
    found = [path for pattern in ("*.tf", "*.hcl", "*.tfvars*") for path in (ENVIRONMENTS / env).glob(pattern)]
    return {path.name: path.read_bytes() for path in found if path.name not in OWN}


@pytest.mark.parametrize("env", ["ppd", "prod"])
def test_the_files_are_the_same(env: str) -> None:
    assert files(env) == files("dev")


@pytest.mark.parametrize("name", ["sizing.auto.tfvars", "terraform.tfvars.example"])
def test_values_are_set_for_the_same_names(name: str) -> None:
    names = {env: set(tfvars.load(ENVIRONMENTS / env / name).value) for env in ("dev", "ppd", "prod")}
    assert names["dev"] == names["ppd"] == names["prod"]
    assert names["dev"] <= tftypes.declared(ENVIRONMENTS / "dev").keys()


def resources(plan: dict[str, Any]) -> dict[str, Any]:
    """Address → what every resource will be, and which of its values are known after the apply only."""
    return {
        change["address"]: [change["change"]["after"], change["change"]["after_unknown"]]
        for change in plan["resource_changes"]
        if change["mode"] == "managed"
    }


def neutral(plan: dict[str, Any], env: str, account_id: str) -> dict[str, Any]:
    """The resources of a plan, without the environment's name and account."""
    text = json.dumps(resources(plan), sort_keys=True)
    # a word of a name such as dev-nifi or dev_silver, but not the folder /dev
    text = re.sub(rf"(?<![A-Za-z0-9]){env}(?![A-Za-z0-9]|/xvd)", "ENV", text.replace(account_id, "ACCOUNT"))
    return dict(json.loads(text))


@pytest.mark.terraform
def test_plans_differ_in_values_only(
    planner: Callable[..., dict[str, Any]], example: Callable[[str], dict[str, Any]]
) -> None:
    """With dev's values each environment is dev, whatever its name: no code asks which environment it is in."""
    sizing = tfvars.load(ENVIRONMENTS / "dev" / "sizing.auto.tfvars").value
    certificate = "arn:aws:acm:eu-central-1:000000000000:certificate/11111111-2222-3333-4444-555555555555"
    names = {"domain": "data.example.com", "bucket_suffix": "example", "certificate_arn": certificate}
    plans = {}
    for env in ("dev", "ppd", "prod"):
        account_id = example(env)["account_id"]
        plan = planner(env, {**example("dev"), **sizing, **names, "env": env, "account_id": account_id}, "as-dev")
        plans[env] = neutral(plan, env, account_id)
    assert len(plans["dev"]) > 100
    assert plans["ppd"] == plans["dev"]
    assert plans["prod"] == plans["dev"]


@pytest.mark.terraform
def test_own_values_change_numbers_not_kinds(
    planner: Callable[..., dict[str, Any]], example: Callable[[str], dict[str, Any]]
) -> None:
    """With its own values an environment has more of something (NAT gateways), never something else."""

    def kinds(env: str) -> set[str]:
        return {re.sub(r"\[[^\]]*\]", "", address) for address in resources(planner(env, example(env), "own"))}

    assert kinds("dev") == kinds("ppd") == kinds("prod")


@pytest.mark.terraform
@pytest.mark.parametrize("env", ["dev", "ppd", "prod"])
def test_a_first_plan_only_creates(
    env: str, planner: Callable[..., dict[str, Any]], example: Callable[[str], dict[str, Any]]
) -> None:
    changes = planner(env, example(env), "own")["resource_changes"]
    assert {action for change in changes for action in change["change"]["actions"]} <= {"create", "read"}
