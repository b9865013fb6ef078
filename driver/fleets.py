"""The platform's groups of hosts, as its document names them. Environments built before Airflow have none of its
hosts, and go on working.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fleet:
    """Hosts of one role.

    name: the inventory's group, which is the tag Role of its instances; groups: names of Auto Scaling groups;
    target_group_arn: where the balancer sends users
    """

    name: str
    groups: tuple[str, ...]
    target_group_arn: str


def of(platform: Mapping[str, Any]) -> list[Fleet]:
    """All of them, in the order in which they are configured."""
    nifi = platform["nifi"]
    found = [Fleet("nifi", (nifi["asg_name"],), nifi["target_group_arn"])]
    if has_airflow(platform):
        airflow = platform["airflow"]
        found.append(Fleet("airflow", tuple(airflow["asg_names"]), airflow["target_group_arn"]))
    return found


def has_airflow(platform: Mapping[str, Any]) -> bool:
    """Whether the platform runs pipelines."""
    return bool(platform.get("airflow"))
