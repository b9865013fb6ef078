"""Reads an account's DB instances through its API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.accounts import AccountSession
from rehearsal.databases.model import INTERFACE_TAG, Database
from rehearsal.errors import RehearsalError

Json = Mapping[str, Any]


def observe(session: AccountSession, interfaces: Iterable[Json]) -> tuple[Database, ...]:
    """The account's DB instances in networks of their own. `interfaces` are EC2's network interfaces."""
    rds = session.client("rds")
    described = rds.describe_db_instances()["DBInstances"]
    addresses = {_tag(one, INTERFACE_TAG): one for one in interfaces}
    found = (_database(item, session, addresses.get(item["DBInstanceIdentifier"])) for item in described)
    return tuple(one for one in found if one.address)


def _database(item: Json, session: AccountSession, interface: Json | None) -> Database:
    endpoint = item.get("Endpoint") or {}
    return Database(
        identifier=item["DBInstanceIdentifier"],
        account_id=session.account_id,
        resource_id=item["DbiResourceId"],
        engine=item["Engine"],
        version=item["EngineVersion"],
        state=item["DBInstanceStatus"],
        vpc_id=(interface or {}).get("VpcId", ""),
        address=(interface or {}).get("PrivateIpAddress", ""),
        mac=(interface or {}).get("MacAddress", ""),
        endpoint=endpoint.get("Address", ""),
        port=int(endpoint.get("Port", 5432)),
        name=item.get("DBName", ""),
        master=item.get("MasterUsername", ""),
        secret_arn=(item.get("MasterUserSecret") or {}).get("SecretArn", ""),
        groups=tuple(sorted(one["VpcSecurityGroupId"] for one in item.get("VpcSecurityGroups", []))),
        parameters=_parameters(session, item),
    )


def _parameters(session: AccountSession, item: Json) -> dict[str, str]:
    """Name → value of what the instance's parameter groups set; what a family leaves to the engine has no value."""
    rds = session.client("rds")
    found: dict[str, str] = {}
    for group in item.get("DBParameterGroups", []):
        answer = rds.describe_db_parameters(DBParameterGroupName=group["DBParameterGroupName"])
        found |= {
            one["ParameterName"]: one["ParameterValue"] for one in answer["Parameters"] if "ParameterValue" in one
        }
    return found


def _tag(interface: Json, name: str) -> str:
    return next((tag["Value"] for tag in interface.get("TagSet", []) if tag["Key"] == name), "")


def password(session: AccountSession, database: Database) -> tuple[str, str] | None:
    """Version id of the master secret, and the password in it; None when it went with its DB instance meanwhile.

    :raises RehearsalError: the account does not say
    """
    client = session.client("secretsmanager")
    try:
        answer = client.get_secret_value(SecretId=database.secret_arn)
    except client.exceptions.ResourceNotFoundException:
        return None
    except (BotoCoreError, ClientError) as error:
        raise RehearsalError(f"its master secret cannot be read: {error}") from None
    return str(answer["VersionId"]), str(json.loads(answer["SecretString"])["password"])
