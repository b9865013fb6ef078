"""How the verification judges what it saw, apart from any network."""

from __future__ import annotations

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Checks, Outcome
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._network import (
    Port,
    check_computed,
    check_tried,
    sources_of,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._users import (
    check_certificate,
    check_grants,
)
from ansible_collections.dataplatform.aws.plugins.modules.platform_verification import ports

ALICE = "CN=alice,OU=DataEng,O=Platform"
FLOW = {"resource": "/flow", "actions": ["read"]}
CANVAS = {"resource": "/process-groups/root", "actions": ["read", "write"]}
ACCESS = {"roles": {"viewer": {"nifi": [FLOW]}, "engineer": {"nifi": [FLOW, CANVAS]}}}


def nifi(groups, policies):
    return {
        "groups": [{"name": n, "users": users} for n, users in groups.items()],
        "policies": [{"resource": r, "action": a, "groups": g, "users": u} for r, a, g, u in policies],
    }


ENGINEER = [
    ("/flow", "read", ["role-engineer", "role-viewer"], []),
    ("/process-groups/root", "read", ["role-engineer"], []),
    ("/process-groups/root", "write", ["role-engineer"], []),
]


def test_a_user_with_exactly_the_roles_policies_passes():
    state = nifi({"role-engineer": [ALICE]}, ENGINEER)
    assert check_grants({"dn": ALICE}, "engineer", ACCESS, state).status == "passed"


def test_a_policy_given_by_hand_is_found():
    state = nifi({"role-engineer": [ALICE]}, [*ENGINEER, ("/tenants", "write", [], [ALICE])])
    with pytest.raises(CheckFailed, match="too many: write /tenants"):
        check_grants({"dn": ALICE}, "engineer", ACCESS, state)


def test_a_missing_policy_is_found():
    state = nifi({"role-engineer": [ALICE]}, ENGINEER[:2])
    with pytest.raises(CheckFailed, match="missing: write /process-groups/root"):
        check_grants({"dn": ALICE}, "engineer", ACCESS, state)


def test_membership_in_another_roles_group_is_found():
    state = nifi({"role-engineer": [ALICE], "role-admin": [ALICE]}, ENGINEER)
    with pytest.raises(CheckFailed, match="role-admin"):
        check_grants({"dn": ALICE}, "engineer", ACCESS, state)


def test_a_user_without_a_role_must_have_nothing():
    with pytest.raises(CheckFailed, match="too many: read /flow"):
        check_grants({"dn": ALICE}, None, ACCESS, nifi({}, [("/flow", "read", [], [ALICE])]))


def test_another_serial_than_on_record_is_found():
    with pytest.raises(CheckFailed, match="serial is 02, not 01"):
        check_certificate({"dn": ALICE, "serial": "01"}, {"dn": ALICE, "serial": "02"})


def rule(port, source=None, cidr=None, protocol="tcp", egress=False):
    entry = {"IsEgress": egress, "IpProtocol": protocol, "FromPort": port, "ToPort": port}
    return entry | ({"ReferencedGroupInfo": {"GroupId": source}} if source else {"CidrIpv4": cidr})


def test_rules_that_name_only_the_balancer_pass_as_computed():
    assert check_computed([rule(9443, source="sg-alb")], 9443, {"sg-alb"}).status == "computed"


@pytest.mark.parametrize("open_rule", [rule(9443, cidr="10.0.0.0/8"), rule(-1, cidr="0.0.0.0/0", protocol="-1")])
def test_an_open_rule_is_found(open_rule):
    with pytest.raises(CheckFailed, match="open to"):
        check_computed([rule(9443, source="sg-alb"), open_rule], 9443, {"sg-alb"})


def test_rules_of_other_ports_and_egress_do_not_count():
    assert sources_of([rule(22, cidr="0.0.0.0/0"), rule(9443, cidr="0.0.0.0/0", egress=True)], 9443) == set()


def attempt(port, connected, **more):
    return {"source": "10.0.0.9", "target": "10.0.0.4", "port": port, "connected": connected, **more}


def test_a_connection_from_another_host_is_found():
    with pytest.raises(CheckFailed, match=r"10\.0\.0\.9 reached 10\.0\.0\.4"):
        check_tried([attempt(9443, False), attempt(8443, True)], Port("node", "nifi", 8443, []))


def test_one_number_on_two_kinds_of_hosts_is_two_ports():
    tried = [attempt(9443, False), attempt(9443, True, service="airflow")]
    assert check_tried(tried, Port("edge", "nifi", 9443, [])).status == "passed"
    with pytest.raises(CheckFailed) as error:
        check_tried(tried, Port("airflow-edge", "airflow", 9443, []))
    assert error.value.fix == "close port 9443 in the security group of the airflow hosts"


DOCUMENT = {
    "alb": {"security_group_id": "sg-alb"},
    "nifi": {"security_group_id": "sg-nifi", "edge_port": 9443, "https_port": 8443},
}
NEWER = {
    "airflow": {"security_group_id": "sg-airflow", "edge_port": 9443, "api_port": 8080},
    "ingest": {"edge_port": 9444, "listen_port": 9500},
}


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (DOCUMENT, ["edge", "node"]),
        (DOCUMENT | NEWER, ["edge", "node", "ingest-edge", "ingest-listener", "airflow-edge", "airflow-api"]),
    ],
)
def test_only_ports_that_the_platform_has_are_judged(document, names):
    """Documents of platforms without Airflow keep working."""
    asked = []
    found = ports(document, lambda service: asked.append(service) or [])
    assert [port.name for port in found] == names
    assert len(asked) == len(set(asked)) == (2 if "airflow" in document else 1)
    edges = [port for port in found if port.name.endswith("edge")]
    assert [set(port.allowed) for port in edges] == [{"sg-alb"}] * len(edges)


def test_a_broken_check_fails_and_the_next_one_still_runs():
    checks = Checks()
    assert not checks.run("a", "", "", lambda: 1 / 0)
    assert checks.run("b", "", "", lambda: Outcome("fine"))
    assert [check.status for check in checks.done] == ["failed", "passed"]
    assert "ZeroDivisionError" in checks.done[0].observed
