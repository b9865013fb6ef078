"""A DB instance of the emulated RDS is a real PostgreSQL: what a client on a host of its VPC finds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from rehearsal import session
from rehearsal.databases import reconciler
from tests.integration.hosts.conftest import wait_for
from tests.integration.hosts.world import World

NAME = "test-airflow"
CA = "/tmp/rds-ca.pem"


class Site(World):
    """The world with one DB instance, and two hosts: one that it admits and one that it does not."""

    def rds(self) -> Any:
        return self.account.client("rds")

    def described(self) -> dict[str, Any]:
        return dict(self.rds().describe_db_instances(DBInstanceIdentifier=NAME)["DBInstances"][0])

    def state(self) -> str:
        return str(self.databases.status.get(NAME, {}).get("state"))

    def secret(self) -> dict[str, str]:
        arn = self.described()["MasterUserSecret"]["SecretArn"]
        return dict(json.loads(self.account.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]))

    def psql(
        self, host: str, statement: str, mode: str = "verify-full", seconds: int = 15, **changed: str
    ) -> tuple[bool, str]:
        """Run SQL from a host as the master user, or as who else is said."""
        values = {**self.secret(), "address": self.described()["Endpoint"]["Address"], "database": "airflow", **changed}
        url = (
            f"postgresql://{values['username']}:{quote(values['password'], safe='')}@{values['address']}"
            f"/{values['database']}?sslmode={mode}&sslrootcert={CA}&connect_timeout={seconds}"
        )
        return self.run(host, "psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", url, "-f", "-", text=statement)

    def create(self) -> None:
        """The DB instance, with the parameters that the test asks for again."""
        rds = self.rds()
        rds.create_db_subnet_group(DBSubnetGroupName="test", DBSubnetGroupDescription="test", SubnetIds=self.subnets)
        rds.create_db_parameter_group(
            DBParameterGroupName="test", DBParameterGroupFamily="postgres17", Description="test"
        )
        self.parameter("rds.force_ssl", "1")
        self.parameter("max_connections", "60", "pending-reboot")
        rds.create_db_instance(
            DBInstanceIdentifier=NAME,
            DBName="airflow",
            Engine="postgres",
            EngineVersion="17",
            DBInstanceClass="db.t4g.small",
            AllocatedStorage=20,
            MasterUsername="dbadmin",
            ManageMasterUserPassword=True,
            DBSubnetGroupName="test",
            DBParameterGroupName="test",
            VpcSecurityGroupIds=[self.groups["db"]],
        )

    def parameter(self, name: str, value: str, method: str = "immediate") -> None:
        given = [{"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}]
        self.rds().modify_db_parameter_group(DBParameterGroupName="test", Parameters=given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert session.supervisor_child().pid is None, "this checkout's rehearsal runs: end it first (make destroy)"
    made = Site(tmp_path_factory.mktemp("world"))
    try:
        made.network()
        made.create()
        made.client, made.other = made.launch("client"), made.launch("other")  # type: ignore[attr-defined]
        bundle = reconciler.ca_path(made.folder).read_text()
        for host in (made.client, made.other):  # type: ignore[attr-defined]
            assert made.run(host, "tee", CA, text=bundle)[0]
        wait_for(lambda: made.state() == "available", 60, f"the database: {made.complaints[-3:]}")
        yield made
    finally:
        made.close()


def test_the_endpoint_takes_the_secrets_password_over_verified_tls(site: Any) -> None:
    done, said = site.psql(
        site.client, "select current_user, version(); select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    )
    assert done, said
    assert said.startswith("dbadmin|PostgreSQL 17")
    assert said.endswith("t")
    assert not site.psql(site.client, "select 1", password="wrong")[0]


def test_without_tls_nobody_gets_in(site: Any) -> None:
    done, said = site.psql(site.client, "select 1", mode="disable")
    assert not done
    assert "no encryption" in said


def test_the_certificate_is_for_the_endpoints_name_only(site: Any) -> None:
    address = site.databases.status[NAME]["address"]
    done, said = site.psql(site.client, "select 1", address=address)
    assert not done
    assert "does not match host name" in said


def test_another_group_does_not_get_through(site: Any) -> None:
    done, said = site.psql(site.other, "select 1", seconds=3)
    assert not done
    assert "timeout" in said


def test_the_master_user_is_no_superuser_but_makes_roles_and_databases(site: Any) -> None:
    done, said = site.psql(site.client, "select rolsuper, rolcreaterole from pg_roles where rolname = current_user")
    assert (done, said) == (True, "f|t")
    assert site.psql(
        site.client, "create role app login password 'app'; grant app to dbadmin; create schema app authorization app"
    )[0]
    assert site.psql(site.client, "create table app.t (n int)", username="app", password="app")[0]
    assert not site.psql(site.client, "select 1", username="rdsadmin")[0]


def test_parameters_of_the_group_are_applied(site: Any) -> None:
    def shown(name: str) -> str:
        return site.psql(site.client, f"show {name}")[1]

    assert (shown("max_connections"), shown("shared_buffers")) == ("60", "64MB")
    site.parameter("log_min_duration_statement", "1234")
    wait_for(lambda: shown("log_min_duration_statement") == "1234ms", 90, "the new value")


def test_a_static_parameter_waits_for_a_reboot(site: Any) -> None:
    site.parameter("max_connections", "70", "pending-reboot")
    assert site.described()["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    site.rds().reboot_db_instance(DBInstanceIdentifier=NAME)
    wait_for(lambda: site.psql(site.client, "show max_connections")[1] == "70", 90, "the new value")
    assert site.described()["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def test_a_rotated_secret_is_the_password(site: Any) -> None:
    before = site.secret()["password"]
    site.rds().modify_db_instance(DBInstanceIdentifier=NAME, RotateMasterUserPassword=True, ApplyImmediately=True)
    assert site.secret()["password"] != before
    wait_for(lambda: site.psql(site.client, "select 1")[0], 90, "the new password")
    assert not site.psql(site.client, "select 1", password=before)[0]


def test_data_outlives_stop_start_and_forgetful_supervisors(site: Any) -> None:
    assert site.psql(site.client, "create table kept as select 42 as n")[0]
    wait_for(lambda: site.described()["DBInstanceStatus"] == "available", 90, "available")
    site.rds().stop_db_instance(DBInstanceIdentifier=NAME)
    wait_for(lambda: site.state() == "stopped", 90, "stopped")
    assert not site.psql(site.client, "select n from kept")[0]
    site.appoint()
    wait_for(lambda: site.described()["DBInstanceStatus"] == "stopped", 90, "stopped")
    site.rds().start_db_instance(DBInstanceIdentifier=NAME)
    wait_for(lambda: site.psql(site.client, "select n from kept") == (True, "42"), 90, "the data")


def test_a_killed_postgresql_is_started_again(site: Any) -> None:
    import os
    import signal

    pid = site.databases.status[NAME]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: site.databases.status[NAME]["pid"] not in (None, pid), 90, "another process")
    wait_for(lambda: site.psql(site.client, "select n from kept") == (True, "42"), 90, "the data")


def test_a_deleted_instance_leaves_nothing(site: Any, tmp_path: Path) -> None:
    site.rds().delete_db_instance(DBInstanceIdentifier=NAME, SkipFinalSnapshot=True)
    wait_for(lambda: not site.databases.containers.all(), 90, "no container and no volume")
    assert "rehearsal-db-" not in site.podman("volume", "ls", "--quiet")
    assert not site.complaints
