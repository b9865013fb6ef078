"""RDS: parameter groups describe every parameter of their family, with who set it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.responses import ActionResult
from moto.rds import exceptions
from moto.rds.models import DBParameterGroup, RDSBackend
from moto.rds.responses import RDSResponse

from rehearsal.aws.patching import adds, replaces, wraps_original

Parameter = dict[str, Any]
# name, value, apply type, data type; https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html
_DEFAULTS = """
autovacuum 1 dynamic boolean
checkpoint_timeout 300 dynamic integer
client_encoding - dynamic string
effective_cache_size {DBInstanceClassMemory/16384} dynamic integer
huge_pages on static string
idle_in_transaction_session_timeout 86400000 dynamic integer
log_autovacuum_min_duration 10000 dynamic integer
log_connections - dynamic boolean
log_disconnections - dynamic boolean
log_lock_waits - dynamic boolean
log_min_duration_statement - dynamic integer
log_statement - dynamic string
log_temp_files - dynamic integer
maintenance_work_mem GREATEST({DBInstanceClassMemory*1024/63963136},65536) dynamic integer
max_connections LEAST({DBInstanceClassMemory/9531392},5000) static integer
max_locks_per_transaction 64 static integer
max_worker_processes GREATEST(${DBInstanceVCPU*2},8) static integer
password_encryption scram-sha-256 dynamic string
random_page_cost - dynamic float
rds.force_ssl 1 dynamic boolean
rds.log_retention_period 4320 dynamic integer
rds.logical_replication 0 static boolean
shared_buffers {DBInstanceClassMemory/32768} static integer
shared_preload_libraries pg_stat_statements static list
ssl 1 dynamic boolean
ssl_min_protocol_version TLSv1.2 dynamic string
statement_timeout - dynamic integer
timezone UTC dynamic string
track_activity_query_size 4096 static integer
wal_buffers - static integer
work_mem - dynamic integer
"""


def _defaults() -> dict[str, Parameter]:
    """Name → parameter as RDS describes it in a group that does not set it."""
    found = {}
    for line in _DEFAULTS.split("\n"):
        if line:
            name, value, kind, data = line.split()
            own = {} if value == "-" else {"ParameterValue": value}
            found[name] = {
                "ParameterName": name,
                **own,
                "ApplyType": kind,
                "ApplyMethod": "pending-reboot",
                "DataType": data,
                "IsModifiable": True,
                "Source": "engine-default" if value == "-" else "system",
            }
    return found


DEFAULTS = _defaults()


def described(group: DBParameterGroup) -> list[Parameter]:
    """All parameters of a group: what it sets, and what its family sets for it.

    A value that is the default's is no change: the parameter stays as it was, with its source and apply method.
    Source: https://github.com/hashicorp/terraform-provider-aws/issues/39252
    """
    known = DEFAULTS if str(group.family).startswith("postgres") else {}
    new = {"ApplyType": "dynamic", "DataType": "string", "IsModifiable": True}
    own = {
        name: {**known.get(name, new), **given, "Source": "user"}
        for name, given in group.parameters.items()
        if given.get("ParameterValue") != known.get(name, {}).get("ParameterValue")
    }
    return [parameter for _, parameter in sorted((known | own).items())]


def _named(response: Any) -> Any:
    """The group that a request names."""
    name = response.params.get("DBParameterGroupName")
    groups = response.backend.describe_db_parameter_groups({"db_parameter_group_name": name})
    if not groups:
        raise exceptions.DBParameterGroupNotFoundError(name)
    return groups[0]


@replaces(RDSResponse, "describe_db_parameters")
def _describe_db_parameters(self: Any) -> ActionResult:
    """Terraform asks for what was set by the user, and compares with the source of each parameter."""
    source = self.params.get("Source")
    found = [one for one in described(_named(self)) if source is None or one["Source"] == source]
    return ActionResult({"Parameters": found})


@adds(RDSResponse, "reset_db_parameter_group")
def _reset_db_parameter_group(self: Any) -> ActionResult:
    """Source: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ResetDBParameterGroup.html"""
    group = _named(self)
    every = str(self.params.get("ResetAllParameters", False)).lower() == "true"
    named = [one["ParameterName"] for one in self.params.get("Parameters", [])]
    for parameter in list(group.parameters) if every else named:
        group.parameters.pop(parameter, None)
    return ActionResult({"DBParameterGroupName": group.name})


@wraps_original(DBParameterGroup, "update_parameters")
def _update_parameters(original: Any, self: Any, new_parameters: Iterable[Mapping[str, Any]]) -> None:
    """A static parameter takes effect at the next start only, and RDS wants that said."""
    given = list(new_parameters)
    for one in given:
        static = DEFAULTS.get(one["ParameterName"], {}).get("ApplyType") == "static"
        if static and one.get("ApplyMethod") == "immediate":
            raise exceptions.InvalidParameterCombination(
                f"cannot use immediate apply method for static parameter {one['ParameterName']}"
            )
    original(self, given)


@wraps_original(RDSBackend, "delete_db_parameter_group")
def _delete_db_parameter_group(original: Any, self: Any, db_parameter_group_name: str) -> Any:
    """A group that an instance uses stays."""
    if any(one.db_parameter_group_name == db_parameter_group_name for one in self.databases.values()):
        raise exceptions.RDSClientError(
            "InvalidDBParameterGroupState", "One or more database instances are still members of this parameter group."
        )
    return original(self, db_parameter_group_name)
