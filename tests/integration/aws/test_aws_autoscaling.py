"""EC2 Auto Scaling: spread, replacement, registration and hooks of the mended emulation."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def group(client, request):
    """A group of two from a launch template with one version more than its default, in a target group."""
    ec2, elb, scaling = client("ec2"), client("elbv2"), client("autoscaling")
    name = request.node.name[:30].replace("_", "-").rstrip("-")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{n}.0/24", AvailabilityZone=f"eu-central-1{z}")["Subnet"][
            "SubnetId"
        ]
        for n, z in enumerate("abc")
    ]
    data = {"ImageId": "ami-1", "InstanceType": "t3.large"}
    template = ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"]
    ec2.create_launch_template_version(
        LaunchTemplateId=template["LaunchTemplateId"], LaunchTemplateData={**data, "InstanceType": "m6i.large"}
    )
    arn = elb.create_target_group(Name=name, Protocol="HTTPS", Port=9443, VpcId=vpc)["TargetGroups"][0][
        "TargetGroupArn"
    ]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=2,
        MaxSize=6,
        DesiredCapacity=2,
        VPCZoneIdentifier=",".join(subnets),
        TargetGroupARNs=[arn],
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "2"},
        DefaultInstanceWarmup=120,
        Tags=[{"Key": "Role", "Value": "nifi", "PropagateAtLaunch": True}],
    )
    yield SimpleNamespace(name=name, ec2=ec2, elb=elb, scaling=scaling, target_group=arn)
    scaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


def described(group) -> dict:
    return group.scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group.name])["AutoScalingGroups"][0]


def members(group) -> dict[str, dict]:
    return {i["InstanceId"]: i for i in described(group)["Instances"]}


def targets(group) -> set[str]:
    health = group.elb.describe_target_health(TargetGroupArn=group.target_group)["TargetHealthDescriptions"]
    return {h["Target"]["Id"] for h in health}


def test_instances_are_spread_over_the_zones(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-benefits.html"""
    group.scaling.set_desired_capacity(AutoScalingGroupName=group.name, DesiredCapacity=6)
    zones = [i["AvailabilityZone"] for i in members(group).values()]
    assert sorted(zones) == ["eu-central-1a"] * 2 + ["eu-central-1b"] * 2 + ["eu-central-1c"] * 2
    assert targets(group) == set(members(group))


def test_instances_come_from_the_groups_template_version_and_carry_its_tags(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html"""
    ids = list(members(group))
    assert {i["LaunchTemplate"]["Version"] for i in members(group).values()} == {"2"}
    for reservation in group.ec2.describe_instances(InstanceIds=ids)["Reservations"]:
        for instance in reservation["Instances"]:
            tags = {t["Key"]: t["Value"] for t in instance["Tags"]}
            assert instance["InstanceType"] == "m6i.large"
            assert (tags["Role"], tags["aws:autoscaling:groupName"]) == ("nifi", group.name)


def test_a_terminated_instance_is_replaced_in_group_and_target_group(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/health-checks-overview.html"""
    before = set(members(group))
    lost = before.pop()
    group.ec2.terminate_instances(InstanceIds=[lost])
    after = set(members(group))
    assert len(after) == 2
    assert lost not in after
    assert before < after
    assert targets(group) == after


def test_scaling_in_deregisters(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-load-balancer.html"""
    group.scaling.update_auto_scaling_group(AutoScalingGroupName=group.name, MinSize=1, DesiredCapacity=1)
    assert len(members(group)) == 1
    assert targets(group) == set(members(group))


def test_lifecycle_hooks_are_kept_as_they_were_put(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html"""
    group.scaling.put_lifecycle_hook(
        AutoScalingGroupName=group.name,
        LifecycleHookName="offload",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
        HeartbeatTimeout=600,
        DefaultResult="CONTINUE",
    )
    hook = group.scaling.describe_lifecycle_hooks(AutoScalingGroupName=group.name)["LifecycleHooks"][0]
    assert "RoleARN" not in hook
    assert "NotificationTargetARN" not in hook
    assert (hook["HeartbeatTimeout"], hook["GlobalTimeout"], hook["DefaultResult"]) == (600, 60000, "CONTINUE")


def test_settings_of_the_group_are_described_as_they_were_set(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html"""
    found = described(group)
    assert (found["DefaultInstanceWarmup"], found["HealthCheckGracePeriod"]) == (120, 0)
    group.scaling.update_auto_scaling_group(
        AutoScalingGroupName=group.name, DefaultCooldown=30, TerminationPolicies=["OldestInstance"]
    )
    found = described(group)
    assert (found["DefaultCooldown"], found["TerminationPolicies"]) == (30, ["OldestInstance"])


def test_an_instance_refresh_replaces_the_instances(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html"""
    before = set(members(group))
    refresh = group.scaling.start_instance_refresh(AutoScalingGroupName=group.name)["InstanceRefreshId"]
    found = group.scaling.describe_instance_refreshes(AutoScalingGroupName=group.name, InstanceRefreshIds=[refresh])[
        "InstanceRefreshes"
    ][0]
    assert found["Status"] == "Successful"
    assert not before & set(members(group))
    assert targets(group) == set(members(group))


def test_a_policy_describes_its_own_configuration_only(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ScalingPolicy.html"""
    metric = {"PredefinedMetricType": "ASGAverageCPUUtilization"}
    tracking = {"PredefinedMetricSpecification": metric, "TargetValue": 60.0}
    group.scaling.put_scaling_policy(
        AutoScalingGroupName=group.name,
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=tracking,
    )
    policy = group.scaling.describe_policies(AutoScalingGroupName=group.name)["ScalingPolicies"][0]
    assert policy["Enabled"] is True
    assert "PredictiveScalingConfiguration" not in policy


def test_metrics_are_added_and_removed_by_name(group):
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnableMetricsCollection.html"""

    def enabled() -> set[str]:
        return {metric["Metric"] for metric in described(group).get("EnabledMetrics", [])}

    for name in ("GroupDesiredCapacity", "GroupInServiceInstances"):
        group.scaling.enable_metrics_collection(AutoScalingGroupName=group.name, Granularity="1Minute", Metrics=[name])
    assert enabled() == {"GroupDesiredCapacity", "GroupInServiceInstances"}
    group.scaling.disable_metrics_collection(AutoScalingGroupName=group.name, Metrics=["GroupDesiredCapacity"])
    assert enabled() == {"GroupInServiceInstances"}
    group.scaling.disable_metrics_collection(AutoScalingGroupName=group.name)
    assert enabled() == set()
    group.scaling.enable_metrics_collection(AutoScalingGroupName=group.name, Granularity="1Minute")
    assert len(enabled()) == 8
