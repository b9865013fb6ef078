"""What a run on AWS needs on this machine is asked for before Terraform builds anything."""

from __future__ import annotations

import pytest

from driver import conduct
from driver.errors import Refused
from driver.process import Processes
from driver.stages import STAGES, preflight
from driver.verbs import drift, status, verify
from tests.unit.driver.fakes import checkout, fake_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run on AWS; on its PATH is what `install` puts there."""
    checkout(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path)
    found, _ = fake_run(tmp_path)
    found.environment.values_file.write_text(AGENTS)
    return found


AGENTS = 'agents = {\n  amazon-ssm-agent = { file = "/agent.deb", sha256 = "0" }\n}\n'
IMAGES = 'nifi_ami_id = "ami-1"\nairflow_ami_id = "ami-2"\n'


def install(run) -> None:
    plugin = run.project.root / "bin" / "session-manager-plugin"
    plugin.parent.mkdir()
    plugin.touch(0o755)


def bundle(run) -> None:
    path = run.project.ansible / "playbooks" / "files" / "rds-global-bundle.pem"
    path.parent.mkdir(parents=True)
    path.touch()


def test_without_session_managers_plugin_nothing_begins(run):
    bundle(run)
    with pytest.raises(Refused, match="session-manager-plugin is not on the PATH"):
        preflight.reaches_hosts(run, STAGES)


def test_without_the_databases_cas_nothing_begins(run):
    install(run)
    with pytest.raises(Refused, match=r"ansible/playbooks/files/rds-global-bundle\.pem is not there") as refused:
        preflight.reaches_hosts(run, STAGES)
    assert "curl -o ansible/playbooks/files/rds-global-bundle.pem https://" in refused.value.fix
    bundle(run)
    preflight.reaches_hosts(run, STAGES)


def test_another_file_of_cas_is_taken_from_the_environment_and_reaches_ansible(run, monkeypatch, tmp_path):
    install(run)
    other = tmp_path / "own.pem"
    monkeypatch.setenv("DATAPLATFORM_RDS_CA_BUNDLE", str(other))
    run.processes = Processes({})
    with pytest.raises(Refused, match=r"own\.pem is not there"):
        preflight.reaches_hosts(run, STAGES)
    other.touch()
    preflight.reaches_hosts(run, STAGES)
    assert run.processes.environment["DATAPLATFORM_RDS_CA_BUNDLE"] == str(other)


def test_a_variable_of_the_inventory_names_them_too(run):
    install(run)
    path = run.project.root / "inventories" / "dev" / "group_vars" / "airflow.yml"
    path.write_text("---\nairflow_database_ca: /etc/ssl/rds.pem\n")
    preflight.reaches_hosts(run, STAGES)


def test_terraform_alone_needs_neither(tmp_path, monkeypatch):
    checkout(tmp_path)
    monkeypatch.setenv("PATH", "")
    found, _ = fake_run(tmp_path)
    found.environment.values_file.write_text(AGENTS)
    preflight.reaches_hosts(found, ("infrastructure",))


def test_only_a_configuration_needs_the_databases_cas(run):
    install(run)
    preflight.reaches_hosts(run, ("certificates", "access"))
    with pytest.raises(Refused, match=r"rds-global-bundle\.pem is not there"):
        preflight.reaches_hosts(run, ("configuration",))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("inventories/ppd/group_vars/airflow.yml", "airflow_database_ca: /etc/ssl/rds.pem\n"),
        ("inventories/dev/group_vars/airflow.yml", "# airflow_database_ca: /etc/ssl/rds.pem\n"),
        ("inventories/dev/group_vars/airflow.yml", "airflow_database_ca:\n"),
    ],
)
def test_another_environments_cas_and_a_comment_are_none(run, path, text):
    install(run)
    (run.project.root / path).write_text(text)
    with pytest.raises(Refused, match=r"rds-global-bundle\.pem is not there"):
        preflight.reaches_hosts(run, STAGES)


@pytest.mark.parametrize("verb", [verify, drift])
def test_whoever_plays_on_hosts_is_told_that_the_plugin_is_missing(run, monkeypatch, verb):
    bundle(run)
    monkeypatch.setattr(conduct, "begin", lambda run: None)
    with pytest.raises(Refused, match="session-manager-plugin is not on the PATH"):
        verb.run(run)
    assert run.ansible.played == []


def test_status_says_what_else_it_knows(run):
    bundle(run)
    found = status._airflow(run, [{"instance_id": "i-web"}])
    assert found["unknown"].startswith("session-manager-plugin is not on the PATH")
    assert run.ansible.played == []


@pytest.mark.parametrize("values", ["", "agents = {}\n", 'agents = null\nnifi_ami_id = "ami-1"\n'])
def test_hosts_that_nobody_could_reach_are_not_built(run, values):
    install(run)
    bundle(run)
    run.environment.values_file.write_text(values)
    with pytest.raises(Refused, match=r"dev/terraform\.tfvars: agents has no amazon-ssm-agent") as refused:
        preflight.reaches_hosts(run, STAGES)
    assert "nifi_ami_id and airflow_ami_id" in refused.value.fix
    run.environment.values_file.write_text(values.replace("nifi_ami_id", "#") + IMAGES)
    preflight.reaches_hosts(run, STAGES)


def test_without_the_agent_for_metrics_it_says_which_alarms_mean_nothing(run, monkeypatch):
    install(run)
    bundle(run)
    said: list[str] = []
    monkeypatch.setattr(run.progress, "line", lambda text, *_: said.append(text))
    preflight.reaches_hosts(run, STAGES)
    assert "agents has no amazon-cloudwatch-agent" in said[0]
    assert "dev-airflow-scheduler-heartbeat stays on" in said[0]
    run.environment.values_file.write_text(
        AGENTS.replace("}\n}", '}\n  amazon-cloudwatch-agent = { file = "a", sha256 = "0" }\n}')
    )
    preflight.reaches_hosts(run, STAGES)
    assert len(said) == 1


def test_a_value_file_that_can_not_be_read_is_a_refusal_with_its_line(run):
    run.environment.values_file.with_name("sizing.auto.tfvars").write_text('\nnifi_instance_type = "m7g.large\n')
    with pytest.raises(Refused, match=r"environments/dev/sizing\.auto\.tfvars:2: "):
        preflight.reaches_hosts(run, STAGES)


def test_agents_may_be_named_in_a_file_beside(run):
    install(run)
    bundle(run)
    run.environment.values_file.write_text("")
    run.environment.values_file.with_name("agents.auto.tfvars").write_text(AGENTS)
    preflight.reaches_hosts(run, STAGES)
