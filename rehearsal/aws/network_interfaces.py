"""Network interfaces that services put into subnets, with addresses that nothing else in the subnet has."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import elastic_network_interfaces as enis
from moto.ec2.utils import random_eni_attach_id


class ServiceAttachment:
    """How an interface is attached that belongs to a service and not to an instance."""

    def __init__(self, requester: str) -> None:
        self.attachment_id = random_eni_attach_id()
        self.attach_time = utcnow()
        self.delete_on_termination = False
        self.device_index = 1
        self.instance_owner_id = requester
        self.status = "attached"


def add(backend: Any, subnet: Any, group_ids: list[str], description: str, requester: str) -> Any:
    """Create an interface in `subnet` with a free address of it, managed by the service `requester`."""
    interface = backend.create_network_interface(
        subnet, subnet.get_available_subnet_ip(instance=None), group_ids=group_ids, description=description
    )
    interface.requester_id = requester
    interface.requester_managed = True
    interface.status = "in-use"
    interface.service_attachment = ServiceAttachment(requester)
    return interface


def set_groups(backend: Any, interface: Any, group_ids: list[str]) -> None:
    """Put an interface into these security groups instead of those it is in."""
    interface._group_set = [backend.get_security_group_from_id(group_id) for group_id in group_ids]


def remove(backend: Any, interface: Any) -> None:
    """Delete an interface and give its address back; one that is gone already is no error."""
    if interface.id in backend.enis:
        interface.delete()


_attachment = enis.NetworkInterface.attachment
enis.NetworkInterface.attachment = property(  # type: ignore[assignment,method-assign]
    lambda self: getattr(self, "service_attachment", None) or _attachment.fget(self)  # type: ignore[attr-defined]
)
