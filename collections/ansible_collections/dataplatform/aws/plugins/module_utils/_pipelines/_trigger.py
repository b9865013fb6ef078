# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may have NiFi start a flow: Airflow with its trigger role, and nobody without it.

Private to this collection. That it works with the role is shown by the pipeline itself, whose first task does it.
"""

from __future__ import annotations

import fnmatch
import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _aws
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import (
    COMPUTED,
    CheckFailed,
    Outcome,
)
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint, KeyPair

READ_SECRET = "secretsmanager:GetSecretValue"  # noqa: S105 (an action)
GROUPS = "/nifi-api/flow/process-groups"


def check_other_role_refused(endpoint: Endpoint, pair: KeyPair, group: str) -> Outcome:
    """A certificate whose role may only look is refused by NiFi when it starts what is in a process group.

    The processors are named: without names NiFi starts those that the user may start, none perhaps, and answers 200.
    """
    groups = _flow(endpoint, pair, "root")["processGroups"]
    found = next((entry for entry in groups if entry["component"]["name"] == group), None)
    if found is None:
        names = ", ".join(entry["component"]["name"] for entry in groups) or "none"
        raise CheckFailed(f"there is no process group {group} (there are: {names})", "run `--only pipelines`")
    processors = {entry["id"]: entry["revision"] for entry in _flow(endpoint, pair, found["id"])["processors"]}
    headers = [("Origin", endpoint.origin), ("Sec-Fetch-Site", "same-origin")]
    body = {"id": found["id"], "state": "RUNNING", "components": processors, "disconnectedNodeAcknowledged": False}
    answer = endpoint.request("PUT", f"{GROUPS}/{found['id']}", pair=pair, headers=headers, body=body)
    if answer.status == 403:
        return Outcome(f"refused by NiFi (403) for {group}")
    raise CheckFailed(f"HTTP {answer.status} for starting {group}", "look at the policies of this role in access.yml")


def _flow(endpoint: Endpoint, pair: KeyPair, group: str) -> t.Mapping[str, t.Any]:
    """What is in a process group."""
    answer = endpoint.request("GET", f"{GROUPS}/{group}", pair=pair)
    if answer.status != 200:
        raise CheckFailed(f"HTTP {answer.status} for the process group {group}")
    return t.cast(t.Mapping[str, t.Any], answer.json()["processGroupFlow"]["flow"])


def check_role_needed(iam: t.Any, ec2: t.Any, platform: t.Mapping[str, t.Any]) -> Outcome:
    """By IAM's policies, Airflow's hosts can read the client certificate with the trigger role only, which only they
    may take.
    """
    airflow = platform["airflow"]
    trigger = _role_name(airflow["trigger_role_arn"])
    account, region = platform["account_id"], platform["region"]
    partition = airflow["trigger_role_arn"].split(":")[1]
    secret = (
        f"arn:{partition}:secretsmanager:{region}:{account}:secret:{airflow['trigger_secret_prefix']}/keystore-AbCdEf"
    )
    hosts = host_role(iam, ec2, platform)
    if allows(iam, hosts, READ_SECRET, secret):
        raise CheckFailed(f"{hosts} may read it without the role", f"narrow the secrets that {hosts} may read")
    if not allows(iam, trigger, READ_SECRET, secret):
        raise CheckFailed(
            f"{trigger} may not read {airflow['trigger_secret_prefix']}", "apply the infrastructure again"
        )
    trusted = _trusted(_aws.call(iam, "get_role", RoleName=trigger)["Role"]["AssumeRolePolicyDocument"])
    others = sorted(name for name in trusted if not name.endswith(f":role/{hosts}"))
    if others:
        raise CheckFailed(f"{', '.join(others)} may take {trigger} too", f"let only {hosts} take it")
    return Outcome(f"{hosts} reads it as {trigger} only", COMPUTED)


def host_role(iam: t.Any, ec2: t.Any, platform: t.Mapping[str, t.Any]) -> str:
    """The name of the role that Airflow's running hosts have."""
    wanted = {"tag:Environment": platform["env"], "tag:Role": "airflow", "instance-state-name": "running"}
    filters = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
    reservations = _aws.pages(ec2, "describe_instances", "Reservations", Filters=filters)
    instances = [instance for reservation in reservations for instance in reservation["Instances"]]
    profiles = {instance.get("IamInstanceProfile", {}).get("Arn", "") for instance in instances} - {""}
    if len(profiles) != 1:
        raise CheckFailed(f"{len(instances)} Airflow hosts with {len(profiles)} instance profiles, not one")
    name = profiles.pop().rsplit("/", 1)[-1]
    return str(
        _aws.call(iam, "get_instance_profile", InstanceProfileName=name)["InstanceProfile"]["Roles"][0]["RoleName"]
    )


def allows(iam: t.Any, role: str, action: str, resource: str) -> bool:
    """Whether any statement of the role's own policies allows this. Conditions and denials only narrow it further."""
    return any(
        _matches(action, statement.get("Action", []), fold=True) and _matches(resource, statement.get("Resource", []))
        for document in _policies(iam, role)
        for statement in _list(document["Statement"])
        if statement["Effect"] == "Allow"
    )


def _policies(iam: t.Any, role: str) -> t.Iterator[t.Mapping[str, t.Any]]:
    for name in _aws.pages(iam, "list_role_policies", "PolicyNames", RoleName=role):
        yield _aws.call(iam, "get_role_policy", RoleName=role, PolicyName=name)["PolicyDocument"]
    for attached in _aws.pages(iam, "list_attached_role_policies", "AttachedPolicies", RoleName=role):
        arn = attached["PolicyArn"]
        version = _aws.call(iam, "get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = _aws.call(iam, "get_policy_version", PolicyArn=arn, VersionId=version)
        yield found["PolicyVersion"]["Document"]


def _trusted(document: t.Mapping[str, t.Any]) -> set[str]:
    """Every principal that a trust policy names."""
    found: set[str] = set()
    for statement in _list(document["Statement"]):
        principal = statement.get("Principal", {})
        if isinstance(principal, str):
            found.add(principal)
            continue
        found.update(name for names in principal.values() for name in _list(names))
    return found


def _matches(value: str, patterns: t.Any, fold: bool = False) -> bool:
    if fold:
        return any(fnmatch.fnmatchcase(value.lower(), str(pattern).lower()) for pattern in _list(patterns))
    return any(fnmatch.fnmatchcase(value, str(pattern)) for pattern in _list(patterns))


def _list(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else [value]


def _role_name(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]
