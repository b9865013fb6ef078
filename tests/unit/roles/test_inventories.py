"""The inventories: alike in every environment but for what is meant to differ, and roles that keep their promise."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ENVIRONMENTS = ("dev", "ppd", "prod")
sys.path.insert(0, str(ROOT / "collections"))

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn, _requests  # noqa: E402


def load(env: str, name: str) -> Any:
    return yaml.safe_load((ROOT / "inventories" / env / name).read_text("utf-8"))


def yaml_keys(folder: Path) -> set[str]:
    """Every variable that the files below a group_vars folder set."""
    return {key for path in folder.rglob("*.yml") for key in yaml.safe_load(path.read_text("utf-8"))}


def access(env: str) -> dict[str, Any]:
    return load(env, "group_vars/all/access.yml")["access"]


def test_what_all_share_exists_once():
    """It lies beside the playbooks; a variable set in both places would silently lose its value in the inventory."""
    shared = yaml_keys(ROOT / "ansible" / "playbooks" / "group_vars")
    assert {"ansible_connection", "ansible_host", "platform"} <= shared
    for env in ENVIRONMENTS:
        assert not shared & yaml_keys(ROOT / "inventories" / env / "group_vars")


def test_environments_hold_the_same_files_and_keys():
    folders = [ROOT / "inventories" / env for env in ENVIRONMENTS]
    files = [{str(path.relative_to(folder)) for path in folder.rglob("*.yml")} for folder in folders]
    assert files[0] == files[1] == files[2]
    keys = [set(load(env, "group_vars/nifi.yml")) for env in ENVIRONMENTS]
    assert keys[0] == keys[1] == keys[2]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_an_inventory_takes_its_own_environments_hosts_only(env):
    source = load(env, "aws_ec2.yml")
    assert source["filters"]["tag:Environment"] == env
    assert load(env, "group_vars/all/platform.yml")["platform_env"] == env


def test_only_the_admin_probe_differs_and_it_is_off_in_prod():
    found = {env: access(env) for env in ENVIRONMENTS}
    assert found["prod"]["probes"]["admin"]["enabled"] is False
    alike = copy.deepcopy(found)
    alike["prod"]["probes"]["admin"]["enabled"] = True
    assert alike["dev"] == alike["ppd"] == alike["prod"]


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_each_probe_gets_its_role_by_the_rules(env):
    declared = access(env)
    assert set(declared["probes"]) == set(declared["roles"])
    for role, probe in declared["probes"].items():
        subject = _dn.from_subject(probe["subject"])
        assert _dn.match(subject, declared["rules"]) == role
        assert _dn.is_probe(subject)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_rule_names_a_role(env):
    declared = access(env)
    _dn.check_rules(declared["rules"])
    assert {rule["role"] for rule in declared["rules"]} <= set(declared["roles"])


def grants(role: str) -> set[tuple[str, str]]:
    return {(one["resource"], action) for one in access("dev")["roles"][role]["nifi"] for action in one["actions"]}


def test_nobody_may_speak_for_others():
    assert not [role for role in access("dev")["roles"] for resource, _action in grants(role) if resource == "/proxy"]


def test_viewers_change_nothing_and_see_no_data():
    assert {action for _resource, action in grants("viewer")} == {"read"}
    assert not [resource for resource, _action in grants("viewer") if "data" in resource]


def test_operators_start_and_stop_and_build_nothing():
    assert ("/operation/process-groups/root", "write") in grants("operator")
    assert ("/process-groups/root", "write") not in grants("operator")


def test_only_admins_reach_users_and_policies():
    for role in ("viewer", "operator", "engineer"):
        assert not [resource for resource, _action in grants(role) if resource.startswith(("/tenants", "/policies"))]
    assert {("/tenants", "write"), ("/policies", "write")} <= grants("admin")


def test_each_role_has_what_the_lesser_ones_have():
    assert grants("viewer") <= grants("operator") <= grants("admin")
    assert grants("viewer") <= grants("engineer") <= grants("admin")


def test_programs_may_do_their_one_thing():
    """Airflow starts flows and builds none; whoever pushes records opens neither NiFi nor Airflow."""
    assert grants("producer") == set()
    assert grants("trigger") == {
        ("/flow", "read"),
        ("/process-groups/root", "read"),
        ("/operation/process-groups/root", "write"),
    }
    assert [access("dev")["roles"][role]["airflow"] for role in ("producer", "trigger")] == [[], []]


def test_each_role_of_airflow_belongs_to_one_role_of_people():
    found = {role: one["airflow"] for role, one in access("dev")["roles"].items() if one["airflow"]}
    assert found == {"viewer": ["Viewer"], "engineer": ["User"], "operator": ["Op"], "admin": ["Admin"]}


@pytest.mark.parametrize("env", ENVIRONMENTS)
@pytest.mark.parametrize(("user", "role"), [("airflow", "trigger"), ("flights-producer", "producer")])
def test_services_get_their_role_by_the_rules(env, user, role):
    folder = ROOT / "cert-requests" / env
    found = {one.user: one for one in _requests.load_directory(str(folder), env)}[user]
    assert found.kind == "service"
    assert _dn.match(found.subject, access(env)["rules"]) == role


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_only_airflows_own_role_may_fetch_its_key(env):
    found = {one.user: one for one in _requests.load_directory(str(ROOT / "cert-requests" / env), env)}
    assert found["airflow"].principal == f"role/{env}-nifi-trigger"
