"""RDS: DB instances that have an interface, an engine version, states and a master secret of their own.

The database behind an instance is a real PostgreSQL, kept by `rehearsal/databases/` as this API says.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import string
import time
import uuid
from collections.abc import Callable
from typing import Any

from moto.ec2.models import ec2_backends
from moto.rds import exceptions
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend
from moto.secretsmanager.models import SecretsManagerBackend

from rehearsal.aws import network_interfaces
from rehearsal.aws.patching import adds, replaces, wraps_original
from rehearsal.aws.rds_parameters import described
from rehearsal.databases.model import INTERFACE_TAG

POSTGRES = {"17": "17.6"}
"""Major version → the minor version that RDS takes for it by default."""
SETTLING_SECONDS = 4.0
"""How long "creating", "stopping" and the like last. On AWS minutes; long enough here to be seen by who polls."""
# What RDS allows in a master password: printable ASCII but / " @ and space.
# https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
PASSWORD_CHARACTERS = string.ascii_letters + string.digits + "!#$%&()*+,-.:;<=>?[]^_{|}~"
REBOOT_SECONDS = 10.0
"""How long "rebooting" lasts: until then the database's process must have been seen and ended."""
ROTATION_DAYS = 7


# -- the master secret


def _password() -> str:
    return "".join(secrets.choice(PASSWORD_CHARACTERS) for _ in range(28))


@replaces(MasterUserSecret, "_generate_secret_string")
def _generate_secret_string(self: Any) -> str:
    """Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-secrets-manager.html"""
    return json.dumps({"username": self.resource.master_username, "password": _password()})


@wraps_original(MasterUserSecret, "_create_secret")
def _create_secret(original: Any, self: Any, kms_key_id: str | None) -> Any:
    """RDS rotates what it manages every seven days."""
    secret = original(self, kms_key_id)
    secret.rotation_requested = secret.rotation_enabled = True
    secret.auto_rotate_after_days = ROTATION_DAYS
    return secret


@wraps_original(SecretsManagerBackend, "rotate_secret")
def _rotate_secret(original: Any, self: Any, secret_id: str, *args: Any, **kwargs: Any) -> Any:
    """A secret that RDS manages gets another password at once, whoever asks; the one before is AWSPREVIOUS."""
    secret = self.secrets.get(secret_id)
    if secret is None or secret.owning_service != "rds":
        return original(self, secret_id, *args, **kwargs)
    current = json.loads(secret.versions[secret.default_version_id]["secret_string"])
    text = json.dumps({"username": current["username"], "password": _password()})
    self.put_secret_value(secret_id, text, None, str(uuid.uuid4()), ["AWSCURRENT"])
    secret.last_rotation_date = int(time.time())
    return secret.to_short_dict()


# -- instances


def _get_status(self: Any) -> str:
    status: str = self._status
    if self._then and time.monotonic() > self._then[0]:
        self._status, self._then = self._then[1], None
        status = self._status
    return status


def _set_status(self: Any, value: str) -> None:
    self._status, self._then = value, None


adds(DBInstance, "status")(property(_get_status, _set_status))  # type: ignore[type-var]


def _through(database: Any, passing: str, to: str = "available") -> None:
    """Put an instance into a passing state, from which it comes to `to` by itself."""
    seconds = REBOOT_SECONDS if passing == "rebooting" else SETTLING_SECONDS
    database._status, database._then = passing, (time.monotonic() + seconds, to)


@wraps_original(DBInstance, "__init__")
def _init(original: Any, self: Any, backend: Any, *args: Any, **kwargs: Any) -> None:
    """Take over what moto leaves out, and what RDS chooses itself."""
    engine, version = kwargs["engine"], kwargs.get("engine_version")
    if engine == "postgres":
        kwargs["engine_version"] = _minor(version)
        kwargs.setdefault("license_model", "postgresql-license")
    kwargs.setdefault("ca_certificate_identifier", "rds-ca-rsa2048-g1")
    if kwargs.get("storage_encrypted") and not kwargs.get("kms_key_id"):
        kwargs["kms_key_id"] = backend.kms.describe_key("alias/aws/rds").arn
    original(self, backend, *args, **kwargs)
    self.dbi_resource_id = "db-" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(26))
    for name in ("performance_insights_kms_key_id", "performance_insights_retention_period"):
        setattr(self, name, kwargs.get(name))
    self.performance_insights_enabled = bool(kwargs.get("enable_performance_insights", False))
    self.database_insights_mode = kwargs.get("database_insights_mode") or "standard"
    if engine == "postgres":
        self.option_group_name = kwargs.get("option_group_name") or f"default:postgres-{_major(self)}"
    if self.db_cluster_identifier is None and self.storage_type == "gp3" and engine == "postgres":
        # the baseline below 400 GiB: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html
        self.iops = self.iops or 3000
        self.storage_throughput = self.storage_throughput or 125
    self.network_interface_id = None
    self.restarted()


def _minor(version: str | None) -> str:
    major = (version or max(POSTGRES)).partition(".")[0]
    if major not in POSTGRES:
        raise exceptions.RDSClientError(
            "InvalidParameterCombination",
            f"Cannot find version {version} for postgres: known are {', '.join(POSTGRES)}",
        )
    return version if version and "." in version else POSTGRES[major]


def _major(database: Any) -> str:
    return str(database.engine_version).partition(".")[0]


@wraps_original(DBInstance, "default_db_parameter_group_details")
def _default_group(original: Any, self: Any) -> tuple[str, str]:
    """From PostgreSQL 10 on a family is a major version."""
    if self.engine != "postgres":
        return tuple(original(self))  # type: ignore[return-value]
    return f"postgres{_major(self)}", f"default.postgres{_major(self)}"


@adds(DBInstance, "restarted")
def _restarted(self: Any) -> None:
    """Note that the engine starts with the static parameters as they are."""
    self.static_parameters = _static(self)


def _static(database: Any) -> dict[str, Any]:
    found = [one for group in database.db_parameter_groups() for one in described(group)]
    return {one["ParameterName"]: one.get("ParameterValue") for one in found if one["ApplyType"] == "static"}


def _group_status(self: Any) -> list[dict[str, str]]:
    status = "in-sync" if self.static_parameters == _static(self) else "pending-reboot"
    return [
        {"DBParameterGroupName": group.name, "ParameterApplyStatus": status} for group in self.db_parameter_groups()
    ]


replaces(DBInstance, "db_parameter_group_status_list")(property(_group_status))  # type: ignore[type-var]


def _endpoint(self: Any) -> dict[str, Any] | None:
    """A name within the account and region; an instance that is being made has none yet."""
    if self.status == "creating":
        return None
    return {"Address": self.address, "Port": self.port, "HostedZoneId": "Z1RLNUO7B9Q6NB"}


def _address(self: Any) -> str:
    own = hashlib.sha256(f"{self.account_id} {self.region}".encode()).hexdigest()[:12]
    return f"{self.db_instance_identifier}.c{own[1:]}.{self.region}.rds.amazonaws.com"


replaces(DBInstance, "endpoint")(property(_endpoint))  # type: ignore[type-var]
replaces(DBInstance, "address")(property(_address))  # type: ignore[type-var]


@wraps_original(RDSBackend, "create_db_instance")
def _create_db_instance(original: Any, self: Any, db_kwargs: Any) -> Any:
    """An instance has an interface in one zone of its subnet group, in its security groups."""
    database = original(self, db_kwargs)
    group = getattr(database, "db_subnet_group", None)
    if database.db_cluster_identifier is None and group is not None:
        ec2 = ec2_backends[self.account_id][self.region_name]
        subnets = {subnet.availability_zone: subnet for subnet in group._subnets}
        zones = [db_kwargs.get("availability_zone"), *sorted(subnets)]
        database.availability_zone = next(zone for zone in zones if zone in subnets)
        others = [zone for zone in sorted(subnets) if zone != database.availability_zone]
        database.secondary_availability_zone = others[0] if database.multi_az and others else None
        made = network_interfaces.add(
            ec2,
            subnets[database.availability_zone],
            database.vpc_security_group_ids,
            "RDSNetworkInterface",
            "amazon-rds",
        )
        made.add_tags({INTERFACE_TAG: database.db_instance_identifier})
        database.network_interface_id = made.id
    _through(database, "creating")
    return database


def _interface(backend: Any, database: Any) -> tuple[Any, Any]:
    """EC2 and the instance's interface, None when it has none."""
    ec2 = ec2_backends[backend.account_id][backend.region_name]
    return ec2, ec2.enis.get(database.network_interface_id)


@wraps_original(RDSBackend, "modify_db_instance")
def _modify_db_instance(original: Any, self: Any, db_instance_identifier: str, db_kwargs: Any) -> Any:
    """What is managed already stays as it is; groups of the instance are those of its interface."""
    database = self.describe_db_instances(db_instance_identifier)[0]
    if db_kwargs.get("manage_master_user_password") and database.manage_master_user_password:
        del db_kwargs["manage_master_user_password"]
    if db_kwargs.get("engine_version") and database.engine == "postgres":
        db_kwargs["engine_version"] = _minor(db_kwargs["engine_version"])
    if "enable_performance_insights" in db_kwargs:
        database.performance_insights_enabled = bool(db_kwargs["enable_performance_insights"])
    original(self, db_instance_identifier, db_kwargs)
    ec2, interface = _interface(self, database)
    if interface and db_kwargs.get("vpc_security_group_ids"):
        network_interfaces.set_groups(ec2, interface, database.vpc_security_group_ids)
    if database.status == "available":
        _through(database, "modifying")
    return database


def _passing(name: str, passing: str, to: str, also: Callable[[Any], None] = lambda _: None) -> None:
    """Let the backend's operation `name` lead through the state `passing`."""

    @wraps_original(RDSBackend, name)
    def operation(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        database = original(self, *args, **kwargs)
        also(database)
        _through(database, passing, to)
        return database


_passing("stop_db_instance", "stopping", "stopped")
_passing("start_db_instance", "starting", "available", lambda database: database.restarted())
_passing("reboot_db_instance", "rebooting", "available", lambda database: database.restarted())


@wraps_original(RDSBackend, "delete_db_instance")
def _delete_db_instance(
    original: Any,
    self: Any,
    db_instance_identifier: str,
    final_db_snapshot_identifier: str | None = None,
    skip_final_snapshot: bool | None = False,
    **kwargs: Any,
) -> Any:
    """A last snapshot is made unless that is refused in so many words; the interface goes."""
    found = self.databases.get(db_instance_identifier)
    alone = found is not None and found.db_cluster_identifier is None and not found.is_replica
    if alone and not skip_final_snapshot and not final_db_snapshot_identifier:
        raise exceptions.InvalidParameterCombination(
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        )
    database = original(self, db_instance_identifier, final_db_snapshot_identifier, skip_final_snapshot, **kwargs)
    ec2, interface = _interface(self, database)
    if interface:
        network_interfaces.remove(ec2, interface)
    return database
