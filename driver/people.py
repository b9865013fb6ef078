"""Who may log in, and which nodes serve them: asked of the registry of certificates and of AWS."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from driver import collection, fleets
from driver.errors import DriverError
from driver.run import Run

COLUMNS = ("user", "dn", "role", "serial", "expires")


def users(run: Run) -> list[dict[str, Any]]:
    """Everybody with a reviewed request: DN, role, and the certificate in use.

    :raises DriverError: the platform is not built, or the registry can't be read
    """
    options = {
        "env": run.env,
        "directory": str(run.project.requests(run.env)),
        "bucket": run.platform["buckets"]["certificates"],
        "rules": run.environment.rules,
    }
    module = collection.module("_reconcile")
    try:
        return list(module.look(run.account.client("s3"), options)["users"])
    except (
        BotoCoreError,
        ClientError,
        collection.module("_registry").RegistryError,
        collection.module("_aws").AwsError,
    ) as error:
        raise DriverError(
            f"the registry of certificates: {error}", "the credentials need to read the certificates bucket"
        ) from None


def nodes(run: Run) -> list[dict[str, Any]]:
    """All instances: role, id, private IP, zone, and what the balancer thinks of them, if it sends users to them."""
    try:
        return [node for fleet in fleets.of(run.platform) for node in _fleet(run, fleet)]
    except (BotoCoreError, ClientError) as error:
        raise DriverError(f"AWS: {error}", "look at the credentials and at the network") from None


def _fleet(run: Run, fleet: fleets.Fleet) -> list[dict[str, Any]]:
    serving = [instance for name in fleet.groups for instance in run.account.group(name)[1]]
    health = run.account.health(fleet.target_group_arn)
    found = run.account.running(serving)
    return [{"role": fleet.name, **node, "state": health.get(node["instance_id"], node["state"])} for node in found]


def of_role(found: list[dict[str, Any]], role: str) -> list[dict[str, Any]]:
    """Only one role's nodes."""
    return [node for node in found if node["role"] == role]


def hosts_line(found: list[dict[str, Any]]) -> str:
    """``nifi i-1 (10.0.0.5), airflow i-2 (10.0.0.6)``"""
    return ", ".join(f"{node['role']} {node['instance_id']} ({node['private_ip']})" for node in found)


def table(entries: list[dict[str, Any]]) -> Table:
    """Who may do what."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in COLUMNS:
        shown.add_column(column, no_wrap=column != "dn", overflow="fold")
    for entry in entries:
        role = entry.get("role") or "none: no rule matches"
        expires = str(entry.get("expires") or "")[:10]
        shown.add_row(entry["user"], entry["dn"], role, entry.get("serial") or "not issued", expires)
    return shown
