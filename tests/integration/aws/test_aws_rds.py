"""RDS: instances, parameters and the master secret of the mended emulation."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from rehearsal.aws.rds import REBOOT_SECONDS

ID = "dev-airflow"


@pytest.fixture(scope="module")
def site(client):
    """A network, a parameter group and an encrypted PostgreSQL with a managed password."""
    ec2, rds = client("ec2"), client("rds")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{n}.0/24", AvailabilityZone=f"eu-central-1{z}")["Subnet"][
            "SubnetId"
        ]
        for n, z in enumerate("ab")
    ]
    groups = [ec2.create_security_group(GroupName=f"db{n}", Description="db", VpcId=vpc)["GroupId"] for n in range(2)]
    rds.create_db_subnet_group(DBSubnetGroupName="airflow", DBSubnetGroupDescription="db", SubnetIds=subnets)
    rds.create_db_parameter_group(
        DBParameterGroupName="airflow", DBParameterGroupFamily="postgres17", Description="Airflow"
    )
    made = rds.create_db_instance(
        DBInstanceIdentifier=ID,
        DBName="airflow",
        Engine="postgres",
        EngineVersion="17",
        DBInstanceClass="db.t4g.small",
        AllocatedStorage=20,
        StorageType="gp3",
        StorageEncrypted=True,
        MasterUsername="dbadmin",
        ManageMasterUserPassword=True,
        MultiAZ=True,
        DBSubnetGroupName="airflow",
        DBParameterGroupName="airflow",
        VpcSecurityGroupIds=groups[:1],
        EnableCloudwatchLogsExports=["postgresql"],
    )["DBInstance"]
    return SimpleNamespace(
        ec2=ec2, rds=rds, secrets=client("secretsmanager"), groups=groups, subnets=subnets, made=made
    )


def described(site) -> dict:
    return site.rds.describe_db_instances(DBInstanceIdentifier=ID)["DBInstances"][0]


def settled(site, state: str = "available") -> dict:
    """The instance once it is in a state."""
    deadline = time.monotonic() + REBOOT_SECONDS + 30
    while described(site)["DBInstanceStatus"] != state:
        assert time.monotonic() < deadline, described(site)["DBInstanceStatus"]
        time.sleep(0.2)
    return described(site)


def secret(site) -> dict:
    arn = described(site)["MasterUserSecret"]["SecretArn"]
    return site.secrets.get_secret_value(SecretId=arn)


def interfaces(site) -> list[dict]:
    filters = [{"Name": "description", "Values": ["RDSNetworkInterface"]}]
    return site.ec2.describe_network_interfaces(Filters=filters)["NetworkInterfaces"]


def test_an_instance_is_created_before_it_has_an_endpoint(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DBInstance.html"""
    assert site.made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in site.made
    endpoint = settled(site)["Endpoint"]
    assert endpoint["Port"] == 5432
    assert endpoint["Address"].startswith(f"{ID}.")
    assert endpoint["Address"].endswith(".eu-central-1.rds.amazonaws.com")


def test_an_instance_describes_what_rds_chose(site):
    found = settled(site)
    assert found["EngineVersion"].startswith("17.")
    assert found["KmsKeyId"].startswith("arn:aws:kms:eu-central-1:111122223333:key/")
    assert (found["Iops"], found["StorageThroughput"]) == (3000, 125)
    assert {found["AvailabilityZone"], found["SecondaryAvailabilityZone"]} == {"eu-central-1a", "eu-central-1b"}
    assert found["OptionGroupMemberships"][0]["OptionGroupName"] == "default:postgres-17"
    assert found["EnabledCloudwatchLogsExports"] == ["postgresql"]
    assert found["PerformanceInsightsEnabled"] is False


def test_an_instance_has_an_interface_in_its_groups(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html"""
    settled(site)
    (interface,) = interfaces(site)
    assert interface["SubnetId"] in site.subnets
    assert [group["GroupId"] for group in interface["Groups"]] == site.groups[:1]
    site.rds.modify_db_instance(DBInstanceIdentifier=ID, VpcSecurityGroupIds=site.groups, ApplyImmediately=True)
    assert {group["GroupId"] for group in interfaces(site)[0]["Groups"]} == set(site.groups)


def test_the_master_secret_is_random_and_rotates(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html"""
    arn = settled(site)["MasterUserSecret"]["SecretArn"]
    assert ":secret:rds!db-" in arn
    first = secret(site)
    value = json.loads(first["SecretString"])
    assert (sorted(value), value["username"], len(value["password"])) == (["password", "username"], "dbadmin", 28)
    assert not set(value["password"]) & set("/\"@ '\\")
    site.rds.modify_db_instance(DBInstanceIdentifier=ID, RotateMasterUserPassword=True, ApplyImmediately=True)
    second = secret(site)
    assert second["VersionId"] != first["VersionId"]
    assert json.loads(second["SecretString"])["password"] != value["password"]
    before = site.secrets.get_secret_value(SecretId=arn, VersionStage="AWSPREVIOUS")
    assert before["SecretString"] == first["SecretString"]
    site.secrets.rotate_secret(SecretId=arn)
    assert secret(site)["VersionId"] != second["VersionId"]
    found = site.secrets.describe_secret(SecretId=arn)
    assert (found["OwningService"], found["RotationEnabled"]) == ("rds", True)


def test_asking_again_for_a_managed_password_makes_no_other_secret(site):
    before = settled(site)["MasterUserSecret"]["SecretArn"]
    site.rds.modify_db_instance(DBInstanceIdentifier=ID, ManageMasterUserPassword=True, ApplyImmediately=True)
    assert described(site)["MasterUserSecret"]["SecretArn"] == before


def test_parameters_say_who_set_them(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeDBParameters.html"""
    given = [{"ParameterName": "log_statement", "ParameterValue": "ddl", "ApplyMethod": "immediate"}]
    site.rds.modify_db_parameter_group(DBParameterGroupName="airflow", Parameters=given)
    own = site.rds.describe_db_parameters(DBParameterGroupName="airflow", Source="user")["Parameters"]
    assert [(one["ParameterName"], one["ParameterValue"], one["ApplyMethod"]) for one in own] == [
        ("log_statement", "ddl", "immediate")
    ]
    every = {
        one["ParameterName"]: one
        for one in site.rds.describe_db_parameters(DBParameterGroupName="airflow")["Parameters"]
    }
    assert (every["rds.force_ssl"]["ParameterValue"], every["rds.force_ssl"]["Source"]) == ("1", "system")
    site.rds.reset_db_parameter_group(DBParameterGroupName="airflow", Parameters=given)
    assert not site.rds.describe_db_parameters(DBParameterGroupName="airflow", Source="user")["Parameters"]


def test_a_parameter_that_gets_its_defaults_value_is_no_news(site):
    """RDS keeps its own apply method: a declaration with another one would differ for ever.

    https://github.com/hashicorp/terraform-provider-aws/issues/39252
    """
    given = {"ParameterName": "rds.force_ssl", "ParameterValue": "1", "ApplyMethod": "immediate"}
    site.rds.modify_db_parameter_group(DBParameterGroupName="airflow", Parameters=[given])
    assert not site.rds.describe_db_parameters(DBParameterGroupName="airflow", Source="user")["Parameters"]
    [found] = [
        one
        for one in site.rds.describe_db_parameters(DBParameterGroupName="airflow")["Parameters"]
        if one["ParameterName"] == "rds.force_ssl"
    ]
    assert (found["ParameterValue"], found["ApplyMethod"], found["Source"]) == ("1", "pending-reboot", "system")
    changed = given | {"ParameterValue": "0"}
    site.rds.modify_db_parameter_group(DBParameterGroupName="airflow", Parameters=[changed])
    [own] = site.rds.describe_db_parameters(DBParameterGroupName="airflow", Source="user")["Parameters"]
    assert (own["ParameterValue"], own["ApplyMethod"]) == ("0", "immediate")


def test_a_static_parameter_takes_a_reboot(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/parameter-groups-overview.html"""
    settled(site)
    given = {"ParameterName": "max_connections", "ParameterValue": "50"}
    with pytest.raises(ClientError, match="immediate apply method"):
        site.rds.modify_db_parameter_group(
            DBParameterGroupName="airflow", Parameters=[given | {"ApplyMethod": "immediate"}]
        )
    site.rds.modify_db_parameter_group(
        DBParameterGroupName="airflow", Parameters=[given | {"ApplyMethod": "pending-reboot"}]
    )
    assert described(site)["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    site.rds.reboot_db_instance(DBInstanceIdentifier=ID)
    assert described(site)["DBInstanceStatus"] == "rebooting"
    assert settled(site)["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"


def test_stop_and_start_pass_through_their_states(site):
    settled(site)
    site.rds.stop_db_instance(DBInstanceIdentifier=ID)
    assert described(site)["DBInstanceStatus"] == "stopping"
    settled(site, "stopped")
    site.rds.start_db_instance(DBInstanceIdentifier=ID)
    assert described(site)["DBInstanceStatus"] == "starting"
    settled(site)


def test_deletion_wants_a_word_about_the_last_snapshot(site):
    """https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DeleteDBInstance.html"""
    with pytest.raises(ClientError, match="FinalDBSnapshotIdentifier is required"):
        site.rds.delete_db_instance(DBInstanceIdentifier=ID)
    with pytest.raises(ClientError, match="still members"):
        site.rds.delete_db_parameter_group(DBParameterGroupName="airflow")
    arn = described(site)["MasterUserSecret"]["SecretArn"]
    site.rds.delete_db_instance(DBInstanceIdentifier=ID, FinalDBSnapshotIdentifier="last")
    assert site.rds.describe_db_snapshots(DBSnapshotIdentifier="last")["DBSnapshots"][0]["Engine"] == "postgres"
    assert not interfaces(site)
    with pytest.raises(ClientError):
        site.secrets.describe_secret(SecretId=arn)
