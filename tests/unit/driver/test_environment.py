"""An environment is read as a whole; whatever is wrong is refused with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from driver import environment
from driver.errors import Refused
from tests.unit.driver.fakes import checkout

EXAMPLE = "terraform.tfvars.example"


@pytest.fixture
def project(tmp_path):
    return checkout(tmp_path)


def edit(path: Path, old: str, new: str) -> int:
    """Replace once; returns the line."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def refusal(project) -> str:
    with pytest.raises(Refused) as error:
        environment.load(project, "dev", EXAMPLE)
    assert error.value.code == 3
    return str(error.value)


@pytest.mark.parametrize("env", ["dev", "ppd", "prod"])
def test_the_projects_own_environments_are_well(project, env):
    found = environment.load(project, env, EXAMPLE)
    assert found.name == env
    assert len(found.account_id) == 12
    assert found.requests


def test_accounts_differ(project):
    assert len({environment.load(project, env, EXAMPLE).account_id for env in ("dev", "ppd", "prod")}) == 3


def test_missing_values_name_the_example(project):
    with pytest.raises(Refused, match=r"terraform\.tfvars: is missing; copy .*terraform\.tfvars\.example") as error:
        environment.load(project, "dev", "terraform.tfvars")
    assert error.value.code == 3


def test_unknown_value(project):
    path = project.environment("dev") / EXAMPLE
    line = edit(path, "bucket_suffix ", "bucket_sufix ")
    text = refusal(project)
    assert f"{EXAMPLE}:{line}: no variable is called bucket_sufix; did you mean bucket_suffix?" in text


def test_every_value_file_is_looked_at(project):
    """Terraform reads them too: it warns of a name that is no variable, and passes over a key that is none."""
    sizing = project.environment("dev") / "sizing.auto.tfvars"
    name = edit(sizing, "log_days ", "logs_days ")
    key = edit(sizing, "      desired       = 1", "      desird        = 1")
    (sizing.parent / "more.auto.tfvars").write_text('# nothing\nowner = "me"\n')
    text = refusal(project)
    assert f"sizing.auto.tfvars:{name}: no variable is called logs_days; did you mean log_days?" in text
    assert f"sizing.auto.tfvars:{key}: nothing reads airflow.groups.all.desird; did you mean desired?" in text
    assert "more.auto.tfvars:2: no variable is called owner; remove it" in text


def test_a_value_file_that_can_not_be_read(project):
    (project.environment("dev") / "more.auto.tfvars").write_text("\na = lower(x)\n")
    assert "more.auto.tfvars:2: can't read" in refusal(project)


def test_wrong_account_id(project):
    line = edit(project.environment("dev") / EXAMPLE, '"111122223333"', '"1111"')
    assert f"{EXAMPLE}:{line}: account_id" in refusal(project)


def test_host_bits_in_the_network(project):
    """Terraform would say so too, but the rehearsal looks at the machine's networks before."""
    line = edit(project.environment("dev") / EXAMPLE, '"10.20.0.0/16"', '"10.20.0.5/16"')
    assert f"{EXAMPLE}:{line}: vpc_cidr" in refusal(project)


def test_malformed_yaml_in_the_inventory(project):
    path = project.inventory("dev") / "group_vars" / "nifi.yml"
    path.write_text("a: 1\nb: [\n")
    assert "inventories/dev/group_vars/nifi.yml:3: is no valid YAML" in refusal(project)


def test_malformed_yaml_in_the_dynamic_inventory(project):
    (project.inventory("dev") / "aws_ec2.yml").write_text("plugin: x\n\tregions: y\n")
    assert "inventories/dev/aws_ec2.yml:2: is no valid YAML" in refusal(project)


def test_malformed_request(project):
    (project.requests("dev") / "carol.yaml").write_text("user: carol\nenv: dev\nsubject: {common_name: [\n")
    assert "dev/carol.yaml:" in refusal(project)


def test_unknown_group_variable(project):
    path = project.inventory("dev") / "group_vars" / "nifi.yml"
    line = edit(path, "nifi_heap_max", "nifi_heap_maximum")
    text = refusal(project)
    assert f"group_vars/nifi.yml:{line}: nothing reads nifi_heap_maximum; did you mean nifi_heap_max?" in text


def test_a_key_said_twice(project):
    path = project.inventory("dev") / "group_vars" / "all" / "platform.yml"
    path.write_text(path.read_text() + "platform_env: dev\n")
    assert "platform_env is set twice" in refusal(project)


def test_access_with_an_unknown_key(project):
    path = project.inventory("dev") / "group_vars" / "all" / "access.yml"
    line = edit(path, "      description: Looks at flows", "      descripton: Looks at flows")
    assert f"access.yml:{line}: roles.viewer.descripton: nothing reads this key" in refusal(project)


def test_a_role_that_airflow_does_not_have(project):
    """Airflow would let nobody of that role in."""
    path = project.inventory("dev") / "group_vars" / "all" / "access.yml"
    line = edit(path, "airflow: [Viewer]", "airflow: [Viewr]")
    text = refusal(project)
    assert f"access.yml:{line}: roles.viewer.airflow.0: Input should be 'Viewer', 'User', 'Op' or 'Admin'" in text
    assert "(is 'Viewr')" in text


def test_a_rule_for_a_role_that_does_not_exist(project):
    edit(project.inventory("dev") / "group_vars" / "all" / "access.yml", "role: engineer", "role: enginer")
    assert "rules name enginer" in refusal(project)


def test_a_rule_that_matches_everybody(project):
    path = project.inventory("dev") / "group_vars" / "all" / "access.yml"
    edit(path, "match: {organization: Platform, organizational_unit: DataEng}", "match: {}")
    assert "access.yml:" in refusal(project)


def test_everything_wrong_is_said_at_once(project):
    edit(project.environment("dev") / EXAMPLE, '"111122223333"', '"1111"')
    edit(project.inventory("dev") / "group_vars" / "nifi.yml", "nifi_heap_max", "nifi_heap_maximum")
    text = refusal(project)
    assert "account_id" in text
    assert "nifi_heap_maximum" in text


def test_another_environments_inventory(project):
    edit(project.inventory("dev") / "group_vars" / "all" / "platform.yml", "platform_env: dev", "platform_env: prod")
    assert "platform_env is prod; it has to be dev" in refusal(project)


def test_another_region(project):
    path = project.inventory("dev") / "group_vars" / "all" / "platform.yml"
    edit(path, "eu-central-1", "us-east-1")
    assert "platform_region is us-east-1" in refusal(project)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[eu-central-1]", "[us-east-1]", "regions is ['us-east-1'], but dev is in eu-central-1; write [eu-central-1]"),
        ("tag:Environment: dev", "tag:Environment: ppd", "tag:Environment is ppd; it has to be dev"),
    ],
)
def test_hosts_of_another_environment_or_region(project, old, new, expected):
    line = edit(project.inventory("dev") / "aws_ec2.yml", old, new)
    assert f"inventories/dev/aws_ec2.yml:{line}: {expected}" in refusal(project)


def test_hosts_of_all_environments(project):
    edit(project.inventory("dev") / "aws_ec2.yml", "  tag:Environment: dev\n", "")
    assert "aws_ec2.yml:5: tag:Environment is None; it has to be dev" in refusal(project)


def test_what_a_verification_puts_in_is_a_known_variable(project):
    path = project.inventory("dev") / "group_vars" / "all" / "verification.yml"
    edit(path, "verify_pipelines_data", "verify_pipeline_data")
    assert "nothing reads verify_pipeline_data; did you mean verify_pipelines_data?" in refusal(project)


def test_no_data_is_put_into_other_environments_than_dev(project):
    for env in ("ppd", "prod"):
        text = (project.inventory(env) / "group_vars" / "all" / "verification.yml").read_text()
        assert "verify_pipelines_data: none" in text


def test_services_with_roles_of_their_own(project):
    """A service has a request and a role like a person; the role may be nothing in NiFi or Airflow."""
    access = project.inventory("dev") / "group_vars" / "all" / "access.yml"
    edit(
        access,
        "  rules:\n",
        "  rules:\n    - {role: pusher, match: {organization: Platform, organizational_unit: Pushers}}\n",
    )
    edit(access, "  roles:\n", "  roles:\n    pusher: {description: Pushes records, nifi: [], airflow: []}\n")
    request = project.requests("dev") / "pusher.yaml"
    subject = "{common_name: pusher, organizational_unit: Pushers, organization: Platform}"
    request.write_text(f"user: pusher\nenv: dev\nkind: service\nsubject: {subject}\nexpiry_days: 30\n")
    found = environment.load(project, "dev", EXAMPLE)
    assert found.access.roles["pusher"].airflow == []
    assert "pusher" in [item.user for item in found.requests]
