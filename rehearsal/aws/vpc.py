"""VPC: addresses that are handed out once, and the network interfaces of NAT gateways and endpoints."""

from __future__ import annotations

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.nat_gateways import NatGateway
from moto.ec2.models.subnets import Subnet

from rehearsal.aws import network_interfaces
from rehearsal.aws.patching import replaces, wraps_original


@replaces(Subnet, "get_available_subnet_ip")
def _get_available_subnet_ip(self: Any, instance: Any) -> str:
    """The next address of the subnet that was never used, and given-back ones only when there is none left.

    moto hands a given-back address out at once: a replacement would then have the address of a host that is
    still shutting down.
    """
    for address in self._subnet_ip_generator:
        if address == self.cidr.broadcast_address:
            break
        if str(address) not in self._subnet_ips:
            self._subnet_ips[str(address)] = instance
            return str(address)
    # A set has no order: the lowest address makes runs alike.
    free = min(self._unused_ips, key=lambda text: [int(part) for part in text.split(".")])
    self._unused_ips.discard(free)
    self._subnet_ips[free] = instance
    return str(free)


@wraps_original(NatGateway, "__init__")
def _nat_gateway_init(original: Any, self: Any, backend: Any, subnet_id: str, *args: Any, **kwargs: Any) -> None:
    """A NAT gateway has an address of its subnet; moto gives it a random one, which may be a host's.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-basics.html
    """
    original(self, backend, subnet_id, *args, **kwargs)
    address = backend.get_subnet(subnet_id).get_available_subnet_ip(instance=None)
    self.private_ip = address
    self._eni.private_ip_address = address
    self._eni.private_ip_addresses = [{"Primary": True, "PrivateIpAddress": address}]
    self._eni.description = f"Interface for NAT Gateway {self.id}"
    self._eni.interface_type = "nat_gateway"
    self._eni.requester_managed = True
    self._eni.status = "in-use"
    self._eni.service_attachment = network_interfaces.ServiceAttachment("amazon-aws")


@wraps_original(EC2Backend, "delete_nat_gateway")
def _delete_nat_gateway(original: Any, self: Any, nat_gateway_id: str) -> Any:
    """The interface of a deleted NAT gateway goes with it."""
    gateway = original(self, nat_gateway_id)
    network_interfaces.remove(self, gateway._eni)
    return gateway


@wraps_original(EC2Backend, "create_vpc_endpoint")
def _create_vpc_endpoint(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
    """An interface endpoint has an interface in each of its subnets, in its groups, at a free address.

    Source: https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html
    """
    before = set(self.enis)
    endpoint = original(self, *args, **kwargs)
    for made in set(self.enis) - before:
        network_interfaces.remove(self, self.enis[made])
    if (endpoint.vpc_endpoint_type or "").lower() == "interface":
        if not endpoint.security_group_ids:
            default = self.get_default_security_group(endpoint.vpc_id)
            endpoint.security_group_ids = [default.id] if default else []
        endpoint.network_interface_ids = [_endpoint_interface(self, endpoint, s).id for s in endpoint.subnet_ids or []]
    return endpoint


def _endpoint_interface(backend: Any, endpoint: Any, subnet_id: str) -> Any:
    return network_interfaces.add(
        backend,
        backend.get_subnet(subnet_id),
        endpoint.security_group_ids,
        f"VPC Endpoint Interface {endpoint.id}",
        requester="amazon-aws",
    )


@wraps_original(EC2Backend, "delete_vpc_endpoints")
def _delete_vpc_endpoints(original: Any, self: Any, vpce_ids: list[str] | None = None) -> None:
    """The interfaces of a deleted endpoint go with it."""
    interfaces = [i for v in vpce_ids or [] if v in self.vpc_end_points for i in _interfaces(self.vpc_end_points[v])]
    original(self, vpce_ids)
    for interface in interfaces:
        if interface in self.enis:
            network_interfaces.remove(self, self.enis[interface])


def _interfaces(endpoint: Any) -> list[str]:
    return list(endpoint.network_interface_ids or [])
