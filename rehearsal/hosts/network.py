"""VPCs on this machine: one bridge each, whose first address is the gateway, and a cable to every host.

Nothing is forwarded between a bridge and the outside: hosts reach each other and what the machine offers at the
gateway (names, instance metadata, the account's API, a package proxy). So the machine's routing and packet filter
stay as they are.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from rehearsal.errors import RehearsalError
from rehearsal.hosts.model import Vpc
from rehearsal.paths import CHECKOUT

BRIDGE = re.compile(r"dp[0-9a-f]{4}b[0-9a-f]{8}")
"""The name of a bridge, whichever checkout made it."""
ALIAS_LENGTH = 255
"""What the kernel takes of a link's alias (IFALIASZ)."""


class NetworkError(RehearsalError):
    """A link, address or filter could not be set."""


def mark(checkout: Path = CHECKOUT) -> str:
    """What all names of links made by this checkout start with (names of links have at most 15 characters)."""
    return "dp" + hashlib.sha256(str(checkout).encode()).hexdigest()[:4]


def bridge_name(vpc: Vpc, checkout: Path = CHECKOUT) -> str:
    """The bridge of a VPC."""
    return f"{mark(checkout)}b{_short(vpc.account_id, vpc.vpc_id)}"


def cable_name(instance_id: str, checkout: Path = CHECKOUT) -> str:
    """The machine's end of the cable to a host."""
    return f"{mark(checkout)}h{_short(instance_id)}"


def ensure_bridge(vpc: Vpc) -> bool:
    """Make the VPC's bridge; whether there was anything to do. Raises NetworkError when its addresses are in use."""
    name = bridge_name(vpc)
    if name in links():
        return False
    make_way(vpc.network)
    prefix = vpc.network.prefixlen
    _batch(
        # an address of its own: else it takes the lowest of its ports', and changes it when hosts come and go
        f"link add name {name} address {_mac(vpc.vpc_id)} type bridge",
        f'link set dev {name} alias "{str(CHECKOUT)[:ALIAS_LENGTH]}"',
        f"addr add {vpc.gateway}/{prefix} dev {name}",
        f"link set dev {name} up",
    )
    no_ipv6 = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    if no_ipv6.exists():
        no_ipv6.write_text("1")
    return True


def make_way(wanted: IPv4Network) -> list[str]:
    """See that the machine does not reach the addresses `wanted` by anything but this checkout's bridges.

    The bridge of another checkout's rehearsal that has no hosts is what is left when one was killed with the session
    it ran in: it is deleted. Anything else is in use: NetworkError. Returns what was done.
    """
    done = []
    while taken := overlapping(wanted, _routes(), mark()):
        device, where = taken
        if not BRIDGE.fullmatch(device):
            raise NetworkError(
                f"this machine already reaches {wanted}, or a part of it, by {device} ({where}): "
                "give the environment another vpc_cidr, or take that network down"
            )
        (bridge,) = json.loads(_ip("-json", "link", "show", "dev", device))
        owner = bridge.get("ifalias", "another folder")
        if json.loads(_ip("-json", "link", "show", "master", device) or "[]"):
            raise NetworkError(
                f"{wanted} is used by the rehearsal in {owner} (bridge {device}): end that first, with `make destroy`"
            )
        _ip("link", "delete", "dev", device)
        done.append(f"deleted {device}, left behind by a rehearsal in {owner}")
    return done


def overlapping(network: IPv4Network, routes: Iterable[dict[str, Any]], own: str) -> tuple[str, str] | None:
    """Device and destination by which the machine reaches part of `network`; devices of this rehearsal do not count."""
    for route in routes:
        device = str(route.get("dev", route.get("type", "a route")))
        if route["dst"] == "default" or device.startswith(own):
            continue
        if ip_network(route["dst"], strict=False).overlaps(network):
            return device, str(route["dst"])
    return None


def remove_link(name: str) -> None:
    """Delete a bridge or cable; no matter if it is gone."""
    _ip("link", "delete", "dev", name, check=False)


def links(own_only: bool = True) -> list[str]:
    """Names of the machine's links, by default those made here."""
    # not /sys/class/net, which shows the network namespace that /sys was mounted in
    names = [str(one["ifname"]) for one in json.loads(_ip("-json", "link", "show"))]
    return sorted(name for name in names if not own_only or name.startswith(mark()))


def attach(instance_id: str, pid: int, vpc: Vpc, address: str, mac: str) -> None:
    """Plug process `pid`'s network namespace into the VPC's bridge: eth0 with `address` and a default route.

    `mac` is the interface's: with another one after each start, neighbours would talk to the old one for a while.
    """
    cable = cable_name(instance_id)
    remove_link(cable)
    _batch(
        f"link add name {cable} type veth peer name eth0 netns {pid}",
        f"link set dev {cable} master {bridge_name(vpc)}",
        f"link set dev {cable} up",
    )
    # no IPv6: security groups here speak of IPv4 only, and nothing may go around them
    inside(pid, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", check=False)
    inside(
        pid,
        "ip",
        "-batch",
        "-",
        text="link set dev lo up\n"
        + (f"link set dev eth0 address {mac}\n" if mac else "")
        + f"addr add {address}/{vpc.network.prefixlen} dev eth0\n"
        "link set dev eth0 up\n"
        f"route add default via {vpc.gateway}\n",
    )


def inside(pid: int, *command: str, text: str | None = None, check: bool = True) -> str:
    """Run a command of the machine in the network namespace of process `pid`. Raises NetworkError."""
    return _checked(["nsenter", f"--net=/proc/{pid}/ns/net", "--", *command], text, check)


def _routes() -> list[dict[str, Any]]:
    return list(json.loads(_ip("-json", "-4", "route", "show") or "[]"))


def _batch(*lines: str) -> None:
    _checked(["ip", "-batch", "-"], "\n".join(lines) + "\n", True)


def _ip(*arguments: str, check: bool = True) -> str:
    return _checked(["ip", *arguments], None, check)


def _checked(command: list[str], text: str | None, check: bool) -> str:
    # a text is always given: without one the command would read the terminal
    done = subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode != 0:
        raise NetworkError(f"{' '.join(command)}: exit {done.returncode}: {done.stderr.strip()}\n{text or ''}".strip())
    return done.stdout


def _mac(text: str) -> str:
    """A locally administered address (IEEE 802, second bit of the first octet)."""
    digest = hashlib.sha256(text.encode()).digest()[:5]
    return ":".join(["02", *(f"{octet:02x}" for octet in digest)])


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8]
