"""What the emulated RDS says about an account's DB instances, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "rehearsal-db-"
"""Of the containers' and volumes' names."""
INTERFACE_TAG = "rehearsal:db-instance"
"""On the interface of a DB instance, since its description is the same for all. AWS has no tag there."""
STOPPED = ("creating", "stopping", "stopped", "deleting")


@dataclass(frozen=True)
class Database:
    """A DB instance as RDS describes it.

    `resource_id` is another one for each life of an identifier; `address` and `mac` are its interface's, `endpoint` is
    the name that leads there. `parameters` are those its parameter group sets or its family fixes, in RDS' units.
    """

    identifier: str
    account_id: str
    resource_id: str
    engine: str
    version: str
    state: str
    vpc_id: str = ""
    address: str = ""
    mac: str = ""
    endpoint: str = ""
    port: int = 5432
    name: str = ""
    master: str = ""
    secret_arn: str = ""
    groups: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What its container, volume and folder are called by."""
        return self.resource_id.lower()

    @property
    def container(self) -> str:
        """Name of its container, and of the volume with its data."""
        return PREFIX + self.key

    @property
    def wanted(self) -> bool:
        """Whether it should run."""
        return self.state not in STOPPED
