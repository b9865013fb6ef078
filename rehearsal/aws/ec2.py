"""EC2: instances take over what their launch template says; names and images of the region; interfaces of services."""

from __future__ import annotations

from typing import Any

from moto.core.types import Base64EncodedString
from moto.ec2.models import elastic_network_interfaces as enis
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.utils import parse_user_data

from rehearsal.aws import images
from rehearsal.aws.patching import replaces, wraps_original


@replaces(AmiBackend, "_load_amis")
def _load_amis(self: Any) -> None:
    """Only the images that the project starts from exist: moto's own list is long, and from another region."""
    for image in images.DEBIAN:
        self.amis[image["ami_id"]] = Ami(self, region_name=f"{self.region_name}a", **image)


@wraps_original(LaunchTemplate, "create_version")
def _create_version(original: Any, self: Any, data: dict[str, Any], description: str) -> Any:
    """User data of every version is kept in the form that moto gives to the first one only."""
    user_data = data.get("UserData")
    if user_data is not None and not isinstance(user_data, Base64EncodedString):
        data["UserData"] = parse_user_data(user_data)
    if "UserData" in data and data["UserData"] is None:
        del data["UserData"]
    # The tags of the template itself are no part of what it launches.
    specifications = [s for s in data.get("TagSpecifications") or [] if s.get("ResourceType") != "launch-template"]
    if "TagSpecifications" in data:
        data["TagSpecifications"] = specifications
    return original(self, data, description)


Instance.private_dns_name = property(  # type: ignore[assignment,method-assign]
    lambda self: private_dns_name(self.private_ip, self.ec2_backend.region_name)
)


def private_dns_name(address: str, region: str) -> str:
    """The IP name that EC2 gives an address: ip-10-20-1-4.eu-central-1.compute.internal.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/hostname-types.html
    """
    domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
    return f"ip-{address.replace('.', '-')}.{domain}"


@wraps_original(enis.NetworkInterface, "__init__")
def _interface_init(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    if hasattr(self, "private_dns_name"):
        self.private_dns_name = private_dns_name(self.private_ip_address, self.ec2_backend.region_name)
        for address in self.private_ip_addresses:
            address["PrivateDnsName"] = private_dns_name(address["PrivateIpAddress"], self.ec2_backend.region_name)


@wraps_original(InstanceBackend, "run_instances")
def _run_instances(
    original: Any,
    self: Any,
    image_id: str,
    count: int,
    user_data: Any,
    security_group_names: list[str],
    **kwargs: Any,
) -> Any:
    """Fill in from the launch template what the request does not say itself.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RequestLaunchTemplateData.html
    """
    template = self._get_template_from_args(kwargs["launch_template"]).data if kwargs.get("launch_template") else {}
    kwargs["metadata_options"] = {**template.get("MetadataOptions", {}), **(kwargs.get("metadata_options") or {})}
    kwargs["ebs_optimized"] = kwargs.get("ebs_optimized") or template.get("EbsOptimized", False)
    if (template.get("Monitoring") or {}).get("Enabled"):
        kwargs["monitoring_state"] = "enabled"
    kwargs["region_name"] = self.region_name
    _take_network_interfaces(template, kwargs)
    profile = None if _names_profile(kwargs) else template.get("IamInstanceProfile")
    mappings = _mappings(self, image_id or template.get("ImageId"), template, kwargs.get("block_device_mappings"))
    kwargs["block_device_mappings"] = mappings
    tags = {**_template_tags(template), **(kwargs.pop("tags", None) or {})}
    reservation = original(self, image_id, count, user_data, security_group_names, tags=tags, **kwargs)
    for instance in reservation.instances:
        if profile:
            self.associate_iam_instance_profile(
                instance_id=instance.id,
                iam_instance_profile_name=profile.get("Name"),
                iam_instance_profile_arn=profile.get("Arn"),
            )
        for interface in instance.nics.values():
            # An interface made with its instance goes with it.
            interface.delete_on_termination = True
        _finish_volumes(instance, mappings)
    return reservation


def _names_profile(kwargs: dict[str, Any]) -> bool:
    return bool(kwargs.get("iam_instance_profile_name") or kwargs.get("iam_instance_profile_arn"))


def _take_network_interfaces(template: dict[str, Any], kwargs: dict[str, Any]) -> None:
    """Take groups and public address of the template's primary interface; the subnet comes with the request."""
    if kwargs.get("nics") or not template.get("NetworkInterfaces"):
        return
    primary = min(template["NetworkInterfaces"], key=lambda n: int(n.get("DeviceIndex") or 0))
    if not kwargs.get("security_group_ids"):
        kwargs["security_group_ids"] = list(primary.get("Groups") or [])
    if kwargs.get("associate_public_ip") is None:
        kwargs["associate_public_ip"] = primary.get("AssociatePublicIpAddress")
    kwargs["subnet_id"] = kwargs.get("subnet_id") or primary.get("SubnetId")


def _template_tags(template: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec.get("Tags", [])}
        for spec in template.get("TagSpecifications") or []
        if spec.get("ResourceType") == "volume"
    }


def _mappings(
    backend: Any, image_id: str | None, template: dict[str, Any], asked: list[dict[str, Any]] | None
) -> list[dict[str, Any]]:
    """The volumes of a new instance: the image's root volume, changed and added to by the template or request.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/block-device-mapping-concepts.html
    """
    image = backend.amis.get(image_id)
    root = image.root_device_name if image else "/dev/sda1"
    merged: dict[str, dict[str, Any]] = {root: {"VolumeSize": 8, "VolumeType": "gp3", "DeleteOnTermination": True}}
    for mapping in asked or template.get("BlockDeviceMappings") or []:
        if "Ebs" in mapping and mapping.get("NoDevice") != "":
            merged.setdefault(mapping["DeviceName"], {}).update(
                {k: v for k, v in mapping["Ebs"].items() if v is not None}
            )
    for ebs in merged.values():
        # moto knows gp3 volumes by these figures only; the template's own are set on the volume afterwards.
        ebs["Encrypted"] = _true(ebs.get("Encrypted"))
        ebs["DeleteOnTermination"] = _true(ebs.get("DeleteOnTermination"))
    return [{"DeviceName": device, "Ebs": ebs} for device, ebs in merged.items()]


def _true(value: Any) -> bool:
    return str(value).lower() == "true"


def _finish_volumes(instance: Any, mappings: list[dict[str, Any]]) -> None:
    ebs_of = {m["DeviceName"]: m["Ebs"] for m in mappings}
    for device, block in instance.get_block_device_mapping:
        volume = instance.ec2_backend.volumes[block.volume_id]
        for field in ("Iops", "Throughput"):
            if ebs_of.get(device, {}).get(field) is not None:
                setattr(volume, field.lower(), int(ebs_of[device][field]))
