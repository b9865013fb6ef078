"""One environment as one typed object: inventories/ENV, cert-requests/ENV and the values for Terraform, read and
checked as a whole.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from driver import collection, documents, tftypes, tfvars
from driver.errors import Refused
from driver.project import Project

DECLARE = "remove it, or declare it in a role's argument_specs.yml"
HOSTS = "amazon.aws.aws_ec2"  # the inventory plugin
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Text = Annotated[str, Field(min_length=1, max_length=64)]
# Variables that playbooks read and no role declares.
PLAYBOOK_VARIABLES = {
    "nifi_serial", "airflow_serial", "health_retries", "host_timeout_seconds", "expected_groups", "certificate_bucket",
    "airflow_database_ca", "pipelines_dir", "flights_schedule", "deadline_minutes", "spark_iceberg_jar",
    "verify_pipelines_data", "verify_pipelines_probe", "verify_pipelines_timeout",
}  # fmt: skip


class Strict(BaseModel):
    """Unknown keys are errors: a misspelt key must not read as a missing one."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Subject(Strict):
    common_name: Text
    organizational_unit: Text
    organization: Text


class Rule(Strict):
    """Attributes of a DN → role; a list means "one of"."""

    role: Name
    match: dict[str, Text | list[Text]] = Field(min_length=1)


class Policy(Strict):
    resource: Annotated[str, Field(pattern=r"^/")]
    actions: list[Annotated[str, Field(pattern=r"^(read|write)$")]] = Field(min_length=1)


class Role(Strict):
    description: str
    nifi: list[Policy] = []
    airflow: list[Literal["Viewer", "User", "Op", "Admin"]] = []  # Airflow's own


class Probe(Strict):
    enabled: bool
    subject: Subject


class Access(Strict):
    """access.yml: ordered rules, what each role may do, and who verification logs in as."""

    rules: list[Rule]
    roles: dict[Name, Role]
    probes: dict[Name, Probe] = {}

    @model_validator(mode="after")
    def roles_exist(self) -> Access:
        for where, names in (("rules", [rule.role for rule in self.rules]), ("probes", list(self.probes))):
            unknown = sorted(set(names) - set(self.roles))
            if unknown:
                raise ValueError(f"{where} name {', '.join(unknown)}, but roles has only {', '.join(self.roles)}")
        return self


class Values(BaseModel):
    """The values for Terraform that the driver itself needs. All others pass through; Terraform checks their types."""

    model_config = ConfigDict(extra="allow", frozen=True)

    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    domain: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])$")]
    bucket_suffix: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
    vpc_cidr: str
    allowed_cidrs: list[str] = []

    @field_validator("vpc_cidr")
    @classmethod
    def network(cls, value: str) -> str:
        ipaddress.IPv4Network(value)
        return value

    @field_validator("allowed_cidrs")
    @classmethod
    def networks(cls, value: list[str]) -> list[str]:
        for cidr in value:
            ipaddress.ip_network(cidr)
        return value


class Environment(Strict):
    """Everything that was declared for one environment."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: str
    values: Values
    values_file: Path
    access: Access
    rules: list[dict[str, Any]]
    requests: list[Any]  # of the collection's certificate requests

    @property
    def region(self) -> str:
        return self.values.region

    @property
    def account_id(self) -> str:
        return self.values.account_id

    def terraform_values(self) -> dict[str, Any]:
        return self.values.model_dump()


def load(project: Project, env: str, values_name: str) -> Environment:
    """Read and check an environment.

    :param values_name: the file with Terraform's values, in the environment's Terraform folder
    :raises Refused: everything that is wrong, each with file and line
    """
    findings: list[str] = []
    inventory = _inventory(project, env, findings)
    values_file = project.environment(env) / values_name
    values = _values(project, env, values_file, findings)
    access = _access(project, env, inventory, findings)
    requests = _requests(project, env, values, findings)
    if values and inventory.get("platform_region", values.region) != values.region:
        findings.append(
            f"inventories/{env}/group_vars/all/platform.yml:1: platform_region is {inventory['platform_region']}, "
            f"but region in {project.shown(values_file)} is {values.region}; make them equal"
        )
    if values:
        for source in inventory.get("host documents", []):
            findings += _hosts(source, env, values.region)
    if findings or values is None or access is None:
        raise Refused(f"{env} is not described well:\n  " + "\n  ".join(findings), "correct the files named above")
    rules = [rule.model_dump() for rule in access.rules]
    return Environment(name=env, values=values, values_file=values_file, access=access, rules=rules, requests=requests)


def _inventory(project: Project, env: str, findings: list[str]) -> dict[str, Any]:
    """All group variables of the environment, each known by its name."""
    folder = project.inventory(env)
    if not folder.is_dir():
        findings.append(f"inventories/{env}: is missing; copy another environment's folder")
        return {}
    known = _known_variables(project)
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.y*ml")):
        document = _document(project, path, findings)
        if document and isinstance(document.value, dict) and document.value.get("plugin") == HOSTS:
            found.setdefault("host documents", []).append(document)
        if document is None or "group_vars" not in path.parts:
            continue
        if not isinstance(document.value, dict):
            findings.append(f"{document.where()}: holds no variables; write `name: value`")
            continue
        for key, value in document.value.items():
            if key not in known and not str(key).startswith("ansible_"):
                findings.append(f"{document.where(key)}: nothing reads {key}{_similar(str(key), known, DECLARE)}")
            found[key] = value
            if key == "access":
                found["access document"] = document
    if found.get("platform_env") not in (env, None):
        findings.append(f"inventories/{env}/group_vars: platform_env is {found['platform_env']}; it has to be {env}")
    return found


def _hosts(document: documents.Document, env: str, region: str) -> Iterator[str]:
    """Findings: EC2 would be asked for another environment's hosts, or for more than this one's."""
    regions, filters = document.value.get("regions"), document.value.get("filters") or {}
    if regions != [region]:
        yield f"{document.where('regions')}: regions is {regions}, but {env} is in {region}; write [{region}]"
    tag = filters.get("tag:Environment")
    if tag not in (env, [env]):
        yield f"{document.where('filters', 'tag:Environment')}: tag:Environment is {tag}; it has to be {env}"


def _document(project: Project, path: Path, findings: list[str]) -> documents.Document | None:
    try:
        return documents.load(path, str(path.relative_to(project.root)))
    except documents.DocumentError as error:
        findings.append(str(error))
        return None


def _known_variables(project: Project) -> set[str]:
    """What a group variable may be called: an option of a role, or one of the inventory's own."""
    known = {"platform", "platform_env", "platform_region", "access"} | PLAYBOOK_VARIABLES
    for path in project.collections.glob("ansible_collections/*/*/roles/*/meta/argument_specs.yml"):
        specs = documents.load(path).value or {}
        for spec in (specs.get("argument_specs") or {}).values():
            known |= set(spec.get("options") or {})
    return known


def _similar(name: str, known: Iterable[str], otherwise: str) -> str:
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; {otherwise}"


def _values(project: Project, env: str, path: Path, findings: list[str]) -> Values | None:
    shown = project.shown(path)
    if not path.is_file():
        example = project.shown(path.with_name("terraform.tfvars.example"))
        findings.append(f"{shown}: is missing; copy {example} to it and fill in your account")
        return None
    own, *_ = [_value_file(project, file, findings) for file in (path, *sorted(path.parent.glob("*.auto.tfvars")))]
    if own is None:
        return None
    try:
        return Values.model_validate(own.value)
    except ValidationError as error:
        findings += [f"{own.where(*item['loc'])}: {_message(item)}" for item in error.errors()]
    return None


def _value_file(project: Project, path: Path, findings: list[str]) -> documents.Document | None:
    """One file, whose names are variables, and whose keys their types have."""
    try:
        document = tfvars.load(path, project.shown(path))
    except tfvars.TfvarsError as error:
        findings.append(str(error))
        return None
    known = tftypes.declared(path.parent)
    for name, value in document.value.items():
        if name not in known:
            hint = _similar(name, known, "remove it, or declare it beside")
            findings.append(f"{document.where(name)}: no variable is called {name}{hint}")
            continue
        for place, keys in tftypes.strangers(value, known[name], (name,)):
            hint = _similar(str(place[-1]), keys, f"there are {', '.join(keys)}")
            findings.append(f"{document.where(*place)}: nothing reads {'.'.join(map(str, place))}{hint}")
    return document


def _access(project: Project, env: str, inventory: Mapping[str, Any], findings: list[str]) -> Access | None:
    document = inventory.get("access document")
    if document is None:
        if not findings:
            findings.append(f"inventories/{env}/group_vars/all/access.yml: declares no `access`; see docs/access.md")
        return None
    try:
        access = Access.model_validate(inventory["access"])
        collection.module("_dn").check_rules([rule.model_dump() for rule in access.rules])
        return access
    except ValidationError as error:
        for item in error.errors():
            findings.append(f"{document.where('access', *item['loc'])}: {_message(item)}")
    except collection.module("_dn").DnError as error:
        findings.append(f"{document.where('access', 'rules')}: {error}")
    return None


def _requests(project: Project, env: str, values: Values | None, findings: list[str]) -> list[Any]:
    requests = collection.module("_requests")
    try:
        return list(requests.load_directory(str(project.requests(env)), env, values.account_id if values else None))
    except requests.RequestError as error:
        findings.extend(error.findings)
        return []


def _message(item: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{where}: nothing reads this key; correct or remove it"
    if item["type"] == "missing":
        return f"{where}: is missing"
    given = f" (is {item['input']!r})" if isinstance(item["input"], (str, int, float, bool)) else ""
    return f"{where}: {re.sub('^Value error, ', '', item['msg'])}{given}".lstrip(": ")
