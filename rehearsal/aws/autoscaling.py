"""EC2 Auto Scaling: spread over subnets, replacements in their target groups, lifecycle hooks, instance refresh."""

from __future__ import annotations

from typing import Any

from moto.autoscaling import models
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidInstanceIdError
from moto.moto_api._internal import mock_random

from rehearsal.aws.patching import adds, replaces, wraps_original

Group: Any = models.FakeAutoScalingGroup
Backend: Any = models.AutoScalingBackend
# What moto forgets of CreateAutoScalingGroup and UpdateAutoScalingGroup.
KEPT = {
    "DefaultCooldown": "default_cooldown",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "TerminationPolicies": "termination_policies",
    "InstanceMaintenancePolicy": "instance_maintenance_policy",
    "AvailabilityZoneDistribution": "availability_zone_distribution",
    "CapacityRebalance": "capacity_rebalance",
    "PlacementGroup": "placement_group",
}
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-metrics.html, without those of warm pools.
METRICS = {
    f"Group{what}"
    for what in (
        "MinSize",
        "MaxSize",
        "DesiredCapacity",
        "InServiceInstances",
        "PendingInstances",
        "StandbyInstances",
        "TerminatingInstances",
        "TotalInstances",
    )
}


@replaces(Group, "replace_autoscaling_group_instances")
def _launch(self: Any, count_needed: int, propagated_tags: dict[str, str]) -> None:
    """Launch instances one by one, each in the zone that has the fewest, from the group's template version.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-benefits.html
    """
    if "Launch" in self._suspended_processes:
        return
    # Tags of the group win over the template's:
    # https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html
    tags = {**self.instance_tags, **propagated_tags, models.ASG_NAME_TAG: self.name}
    for _ in range(count_needed):
        subnet = _emptiest_subnet(self)
        version = self.ec2_launch_template.get_version(self.launch_template_version).number
        reservation = self.ec2_backend.run_instances(
            self.image_id,
            1,
            self.user_data,
            self.security_groups,
            instance_type=self.instance_type,
            is_instance_type_default=False,
            tags={"instance": tags},
            placement=None if subnet else self.availability_zones[0],
            launch_template={"LaunchTemplateId": self.ec2_launch_template.id, "Version": str(version)},
            subnet_id=subnet and subnet.id,
            associate_public_ip=None,
        )
        instance: Any = reservation.instances[0]
        instance.autoscaling_group = self
        instance.launch_template_version = version
        state = models.InstanceState(instance, protected_from_scale_in=self.new_instances_protected_from_scale_in)
        self.instance_states.append(state)


def _emptiest_subnet(group: Any) -> Any:
    if not group.vpc_zone_identifier:
        return None
    subnets = [group.ec2_backend.get_subnet(s) for s in group.vpc_zone_identifier.split(",")]
    zones = [state.availability_zone for state in group.instance_states]
    return min(subnets, key=lambda subnet: zones.count(subnet.availability_zone))


def _state_launch_template(self: Any) -> dict[str, Any] | None:
    template = self.auto_scaling_group.ec2_launch_template
    if template is None:
        return None
    version = getattr(self.instance, "launch_template_version", template.default_version_number)
    return {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(version)}


models.InstanceState.launch_template = property(_state_launch_template)  # type: ignore[assignment,method-assign]


@replaces(Backend, "update_attached_target_groups")
def _update_attached_target_groups(self: Any, group_name: str) -> None:
    """Register the group's instances with its target groups, and deregister those that it has lost.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/autoscaling-load-balancer.html
    """
    group = self.autoscaling_groups[group_name]
    members = {state.instance.id for state in group.active_instances()}
    if not hasattr(group, "registered_targets"):
        group.registered_targets = {}
    for arn in group.target_group_arns:
        target_group = self.elbv2_backend.target_groups.get(arn)
        if target_group is None:
            continue
        before = group.registered_targets.get(arn, set())
        gone = [{"Id": i} for i in sorted(before - members) if i in target_group.targets]
        new = [{"Id": i, "Port": target_group.port} for i in sorted(members) if i not in target_group.targets]
        if gone:
            self.elbv2_backend.deregister_targets(arn, gone)
        if new:
            self.elbv2_backend.register_targets(arn, new)
        group.registered_targets[arn] = set(members)


@replaces(Backend, "notify_terminate_instances")
def _notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
    """Replace members that were terminated from outside, and register what replaces them."""
    for name, group in self.autoscaling_groups.items():
        left = [state for state in group.instance_states if state.instance.id not in instance_ids]
        lost = len(group.instance_states) - len(left)
        group.instance_states = left
        if lost:
            wanted = max(0, (group.desired_capacity or 0) - len(group.active_instances()))
            group.replace_autoscaling_group_instances(wanted, group.get_propagated_tags())
            self.update_attached_elbs(name)
            self.update_attached_target_groups(name)


@wraps_original(Group, "set_desired_capacity")
def _set_desired_capacity(original: Any, self: Any, new_capacity: int | None) -> None:
    """Scaling in also takes the terminated instances out of whatever refers to them."""
    before = {state.instance.id for state in self.instance_states}
    original(self, new_capacity)
    self.instance_states.sort(key=lambda state: state.instance.launch_time)
    removed = before - {state.instance.id for state in self.instance_states}
    if removed:
        self.autoscaling_backend.elbv2_backend.notify_terminate_instances(sorted(removed))


@wraps_original(AutoScalingResponse, "create_auto_scaling_group")
def _create_auto_scaling_group(original: Any, self: Any) -> Any:
    answer = original(self)
    params = self._get_params()
    group = self.autoscaling_backend.autoscaling_groups[params["AutoScalingGroupName"]]
    # AWS's own default; moto takes 300 seconds, the console's, for every caller:
    # https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
    group.health_check_grace_period = int(params.get("HealthCheckGracePeriod") or 0)
    _keep(group, params)
    for hook in params.get("LifecycleHookSpecificationList") or []:
        _put_hook(self.autoscaling_backend, group.name, hook)
    return answer


@wraps_original(AutoScalingResponse, "update_auto_scaling_group")
def _update_auto_scaling_group(original: Any, self: Any) -> Any:
    answer = original(self)
    params = self._get_params()
    _keep(self.autoscaling_backend.autoscaling_groups[params["AutoScalingGroupName"]], params)
    return answer


@wraps_original(models.FakeScalingPolicy, "__init__")
def _policy_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    """A policy is enabled, and describes the configuration of its own type only.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_ScalingPolicy.html
    """
    original(self, *args, **kwargs)
    self.enabled = True
    self.predictive_scaling_configuration = self.predictive_scaling_configuration or None


def _keep(group: Any, params: dict[str, Any]) -> None:
    for parameter, attribute in KEPT.items():
        if params.get(parameter) is not None:
            setattr(group, attribute, params[parameter])


def _put_hook(backend: Any, group_name: str, params: dict[str, Any]) -> None:
    """Keep a lifecycle hook as it was put; moto invents its role and its queue."""
    hook: Any = backend.create_lifecycle_hook(
        name=params["LifecycleHookName"],
        as_name=group_name,
        transition=params.get("LifecycleTransition"),
        timeout=params.get("HeartbeatTimeout"),
        result=params.get("DefaultResult"),
    )
    hook.role_arn = params.get("RoleARN")
    hook.notification_target_arn = params.get("NotificationTargetARN")
    hook.notification_metadata = params.get("NotificationMetadata")
    hook.global_timeout = min(172800, 100 * int(hook.heartbeat_timeout))


@replaces(AutoScalingResponse)
def put_lifecycle_hook(self: Any) -> EmptyResult:
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html"""
    params = self._get_params()
    _put_hook(self.autoscaling_backend, params["AutoScalingGroupName"], params)
    return EmptyResult()


@replaces(Group, "enable_metrics_collection")
def _enable_metrics_collection(self: Any, metrics: list[str]) -> None:
    """Add to the metrics that are enabled; none named means all. moto replaces those enabled.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_EnableMetricsCollection.html
    """
    self.metrics = sorted({*self.metrics, *(metrics or METRICS)})


@adds(AutoScalingResponse)
def disable_metrics_collection(self: Any) -> EmptyResult:
    """https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DisableMetricsCollection.html"""
    params = self._get_params()
    group = self.autoscaling_backend.autoscaling_groups[params["AutoScalingGroupName"]]
    named = params.get("Metrics")
    group.metrics = [metric for metric in group.metrics if named and metric not in named]
    return EmptyResult()


@adds(AutoScalingResponse)
def start_instance_refresh(self: Any) -> ActionResult:
    """Replace the group's instances at once: launch first, then terminate, without AWS's pauses and health checks.

    Source: https://docs.aws.amazon.com/autoscaling/ec2/userguide/asg-instance-refresh.html
    """
    params, backend = self._get_params(), self.autoscaling_backend
    group = backend.autoscaling_groups[params["AutoScalingGroupName"]]
    version = group.ec2_launch_template.get_version(group.launch_template_version).number
    skip = bool((params.get("Preferences") or {}).get("SkipMatching"))
    old = [s for s in group.instance_states if not skip or s.launch_template["Version"] != str(version)]
    group.replace_autoscaling_group_instances(len(old), group.get_propagated_tags())
    group.instance_states = [s for s in group.instance_states if s not in old]
    for state in old:
        try:
            backend.ec2_backend.terminate_instances([state.instance.id])
        except InvalidInstanceIdError:
            continue
    backend.update_attached_target_groups(group.name)
    refresh = {
        "InstanceRefreshId": str(mock_random.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Successful",
        "StartTime": utcnow(),
        "EndTime": utcnow(),
        "PercentageComplete": 100,
        "InstancesToUpdate": 0,
    }
    group.refreshes = [refresh, *getattr(group, "refreshes", [])]
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


@adds(AutoScalingResponse)
def describe_instance_refreshes(self: Any) -> ActionResult:
    params = self._get_params()
    group = self.autoscaling_backend.autoscaling_groups[params["AutoScalingGroupName"]]
    wanted = params.get("InstanceRefreshIds")
    refreshes = getattr(group, "refreshes", [])
    return ActionResult({"InstanceRefreshes": [r for r in refreshes if not wanted or r["InstanceRefreshId"] in wanted]})
