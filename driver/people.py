"""Who may log in, and which nodes serve them: asked of the registry of certificates and of AWS."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from driver import collection
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
    """The NiFi instances: id, private IP, zone, and what the balancer thinks of them."""
    nifi = run.platform["nifi"]
    try:
        _, serving = run.account.group(nifi["asg_name"])
        health = run.account.health(nifi["target_group_arn"])
        found = run.account.running(serving)
    except (BotoCoreError, ClientError) as error:
        raise DriverError(f"AWS: {error}", "look at the credentials and at the network") from None
    return [{**node, "state": health.get(node["instance_id"], node["state"])} for node in found]


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
