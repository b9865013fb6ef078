"""EC2 and VPC: images, launch templates, names and interfaces of the mended emulation."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

PROFILE = "nifi"
ROLE_POLICY = '{"Version":"2012-10-17","Statement":[]}'


@pytest.fixture(scope="module")
def account(client):
    """A VPC with DNS names and a subnet, an instance profile and a security group."""
    ec2, iam = client("ec2"), client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.1.0/24", AvailabilityZone="eu-central-1b")["Subnet"]
    group = ec2.create_security_group(GroupName="nifi", Description="nifi", VpcId=vpc)["GroupId"]
    iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument=ROLE_POLICY)
    profile = iam.create_instance_profile(InstanceProfileName=PROFILE)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    return SimpleNamespace(ec2=ec2, ssm=client("ssm"), vpc=vpc, subnet=subnet["SubnetId"], group=group, profile=profile)


def template_data(account, user_data: str) -> dict:
    return {
        "ImageId": account.ssm.get_parameter(Name="/aws/service/debian/release/13/latest/amd64")["Parameter"]["Value"],
        "InstanceType": "m6i.large",
        "UserData": base64.b64encode(user_data.encode()).decode(),
        "IamInstanceProfile": {"Arn": account.profile},
        "SecurityGroupIds": [account.group],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "enabled"},
        "Monitoring": {"Enabled": True},
        "EbsOptimized": True,
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 20, "VolumeType": "gp3", "Encrypted": True}},
            {
                "DeviceName": "/dev/sdf",
                "Ebs": {"VolumeSize": 50, "VolumeType": "gp3", "Throughput": 250, "DeleteOnTermination": True},
            },
        ],
        "TagSpecifications": [{"ResourceType": "volume", "Tags": [{"Key": "Project", "Value": "data-platform"}]}],
    }


def test_debians_image_is_found_by_its_public_parameter(account):
    """https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters.html"""
    name = "/aws/service/debian/release/13/latest/amd64"
    image_id = account.ssm.get_parameters(Names=[name])["Parameters"][0]["Value"]
    image = account.ec2.describe_images(ImageIds=[image_id])["Images"][0]
    assert image["Name"].startswith("debian-13-amd64-")
    assert (image["OwnerId"], image["Architecture"], image["RootDeviceName"]) == ("136693071363", "x86_64", "/dev/xvda")
    owned = account.ec2.describe_images(Owners=["136693071363"], Filters=[{"Name": "name", "Values": ["debian-13-*"]}])
    assert len(owned["Images"]) == 2


@pytest.mark.parametrize("version", ["1", "2"])
def test_an_instance_takes_over_its_launch_template(account, version):
    """Every version alike: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-launch-templates.html"""
    name = f"nifi-{version}"
    template = account.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=template_data(account, "#cloud-config\n# 1\n")
    )["LaunchTemplate"]["LaunchTemplateId"]
    account.ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData=template_data(account, "#cloud-config\n# 2\n")
    )
    instance = account.ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        SubnetId=account.subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": version},
    )["Instances"][0]
    found = account.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"][0]["Instances"][0]
    assert found["IamInstanceProfile"]["Arn"] == account.profile
    assert found["InstanceType"] == "m6i.large"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["Monitoring"]["State"] == "enabled"
    assert found["EbsOptimized"] is True
    assert [g["GroupId"] for g in found["SecurityGroups"]] == [account.group]
    data = account.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
    assert base64.b64decode(data["UserData"]["Value"]).decode() == f"#cloud-config\n# {version}\n"
    volumes = account.ec2.describe_volumes(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
    )["Volumes"]
    by_device = {v["Attachments"][0]["Device"]: v for v in volumes}
    assert {d: (v["Size"], v["Encrypted"]) for d, v in by_device.items()} == {
        "/dev/xvda": (20, True),
        "/dev/sdf": (50, False),
    }
    assert by_device["/dev/sdf"]["Throughput"] == 250
    assert by_device["/dev/sdf"]["Tags"] == [{"Key": "Project", "Value": "data-platform"}]


def test_the_tags_of_a_template_are_not_part_of_its_data(account):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html"""
    own = {"ResourceType": "launch-template", "Tags": [{"Key": "Project", "Value": "data-platform"}]}
    template = account.ec2.create_launch_template(
        LaunchTemplateName="tagged", LaunchTemplateData={"ImageId": "ami-1"}, TagSpecifications=[own]
    )["LaunchTemplate"]
    assert template["Tags"] == own["Tags"]
    version = account.ec2.describe_launch_template_versions(LaunchTemplateId=template["LaunchTemplateId"])
    assert not version["LaunchTemplateVersions"][0]["LaunchTemplateData"].get("TagSpecifications")


def test_instances_have_the_names_of_their_region(account):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html"""
    instance = account.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=account.subnet)["Instances"][
        0
    ]
    expected = f"ip-{instance['PrivateIpAddress'].replace('.', '-')}.eu-central-1.compute.internal"
    assert instance["PrivateDnsName"] == expected
    interfaces = account.ec2.describe_network_interfaces(
        Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}]
    )["NetworkInterfaces"]
    assert interfaces[0]["PrivateDnsName"] == expected


def test_a_terminated_instance_gives_its_interface_back_but_not_its_address_to_the_next(account):
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-eni.html"""
    asked = {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, "SubnetId": account.subnet}
    instance = account.ec2.run_instances(**asked)["Instances"][0]
    account.ec2.terminate_instances(InstanceIds=[instance["InstanceId"]])
    by_address = [{"Name": "private-ip-address", "Values": [instance["PrivateIpAddress"]]}]
    assert account.ec2.describe_network_interfaces(Filters=by_address)["NetworkInterfaces"] == []
    following = account.ec2.run_instances(**asked)["Instances"][0]
    assert following["PrivateIpAddress"] != instance["PrivateIpAddress"]


def test_the_first_four_addresses_of_a_subnet_are_reserved(account):
    """https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html"""
    subnet = account.ec2.create_subnet(VpcId=account.vpc, CidrBlock="10.20.9.0/24")["Subnet"]["SubnetId"]
    first = account.ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]
    assert first["PrivateIpAddress"] == "10.20.9.4"


def test_nat_gateways_and_endpoints_have_interfaces_with_addresses_of_their_subnets(account):
    """https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html and
    https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html"""
    address = account.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = account.ec2.create_nat_gateway(SubnetId=account.subnet, AllocationId=address)
    gateway = made["NatGateway"]["NatGatewayId"]
    endpoint = account.ec2.create_vpc_endpoint(
        VpcId=account.vpc,
        ServiceName="com.amazonaws.eu-central-1.secretsmanager",
        VpcEndpointType="Interface",
        SubnetIds=[account.subnet],
        SecurityGroupIds=[account.group],
    )["VpcEndpoint"]
    found = account.ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [account.subnet]}])
    addresses = [i["PrivateIpAddress"] for i in found["NetworkInterfaces"]]
    assert all(a.startswith("10.20.1.") for a in addresses)
    assert len(set(addresses)) == len(addresses)
    own = [i for i in found["NetworkInterfaces"] if i["NetworkInterfaceId"] in endpoint["NetworkInterfaceIds"]]
    assert [g["GroupId"] for g in own[0]["Groups"]] == [account.group]
    account.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])
    account.ec2.delete_nat_gateway(NatGatewayId=gateway)
    left = account.ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert endpoint["NetworkInterfaceIds"][0] not in {i["NetworkInterfaceId"] for i in left}
    assert not any(gateway in i["Description"] for i in left)


def test_rules_that_name_a_group_keep_their_description(account):
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_SecurityGroupRule.html"""
    alb = account.ec2.create_security_group(GroupName="alb", Description="alb", VpcId=account.vpc)["GroupId"]

    def permission(description: str) -> list[dict]:
        pair = {"GroupId": alb, "Description": description}
        return [{"IpProtocol": "tcp", "FromPort": 9443, "ToPort": 9443, "UserIdGroupPairs": [pair]}]

    rule = account.ec2.authorize_security_group_ingress(
        GroupId=account.group, IpPermissions=permission("Edge, from the balancer")
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def described() -> dict:
        return account.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule])["SecurityGroupRules"][0]

    assert described()["Description"] == "Edge, from the balancer"
    assert described()["ReferencedGroupInfo"]["GroupId"] == alb
    with pytest.raises(ClientError, match="Duplicate"):
        account.ec2.authorize_security_group_ingress(GroupId=account.group, IpPermissions=permission("again"))
    changed = {"IpProtocol": "tcp", "FromPort": 9444, "ToPort": 9444, "Description": "New", "ReferencedGroupId": alb}
    account.ec2.modify_security_group_rules(
        GroupId=account.group, SecurityGroupRules=[{"SecurityGroupRuleId": rule, "SecurityGroupRule": changed}]
    )
    assert (described()["Description"], described()["FromPort"]) == ("New", 9444)
