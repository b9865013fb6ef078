"""What a run talks to: an AWS account, or something that looks like one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

Kind = Literal["aws", "rehearsal"]


@dataclass(frozen=True)
class Target:
    """Endpoints, credentials and values of one account.

    environment: merged over the inherited variables for every subprocess and boto3 client
    terraform_values: override the values of the environment's own file
    backend_config: further ``-backend-config`` pairs
    ca_bundle: PEM file with the CA of the listener's certificate; None: a public CA, the system's store knows it
    values_file: Terraform's values of the environment
    """

    kind: Kind
    values_file: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    terraform_values: Mapping[str, Any] = field(default_factory=dict)
    backend_config: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None


class Connector(Protocol):
    """How a target is reached. The driver knows AWS itself; other connectors are handed in by the caller."""

    kind: Kind
    disposable: bool  # whether the account comes up with its environment, and ends with it
    values_name: str  # the file with Terraform's values, in the environment's folder

    def running(self, env: str) -> bool:
        """Whether there is an account to ask, without starting anything."""

    def open(self, env: str, values: Mapping[str, Any], progress: Callable[[str], None]) -> Mapping[str, Any]:
        """The fields of a target (all but kind and values_file)."""

    def close(self, env: str, progress: Callable[[str], None]) -> None:
        """After an environment was destroyed."""

    def problems(self) -> Mapping[str, str]:
        """What keeps the account from doing its part at this moment, by name. Called from several threads."""


class Aws:
    """AWS, with the credentials that are there."""

    kind: Kind = "aws"
    disposable = False
    values_name = "terraform.tfvars"

    def running(self, env: str) -> bool:
        return True

    def open(self, env: str, values: Mapping[str, Any], progress: Callable[[str], None]) -> Mapping[str, Any]:
        region = str(values["region"])
        return {"environment": {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}}

    def close(self, env: str, progress: Callable[[str], None]) -> None:
        return None

    def problems(self) -> Mapping[str, str]:
        return {}
