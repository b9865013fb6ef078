# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose probe makes a check that is not about one role. Chosen by rights: what roles are called is up to ``access.yml``."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _airflow, _probes, _roles
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import SKIPPED, Checks, Outcome

Access = t.Mapping[str, t.Any]
Issued = t.Mapping[str, _probes.Probe]

CANVAS = "/process-groups/root"
MANAGERS = "/tenants"  # whoever may write here gives rights to others
TOP = max(_airflow.LEVELS.values())


def declared(access: Access) -> t.Mapping[str, t.Any]:
    """The probes of ``access.yml``, by role."""
    return access.get("probes") or {}


def impostor(access: Access, probes: Issued) -> str | None:
    """The role to try taking another's name in NiFi with: it may look, and does not manage users."""
    able = [role for role in probes if _nifi(access, role, CANVAS, "read") and not _nifi(access, role, MANAGERS)]
    return next((role for role in able if not _nifi(access, role, CANVAS)), able[0] if able else None)


def airflow_impostor(access: Access, probes: Issued) -> str | None:
    """The same in Airflow: the least of its roles, and not the one that has all."""
    able = [(level, role) for role in probes if 0 < (level := _level(access, role)) < TOP]
    return min(able, key=lambda one: one[0])[1] if able else None


def writer(access: Access, probes: Issued) -> str | None:
    """The role that does not manage users, and would change something if the edge let it; else any."""
    able = [role for role in probes if _nifi(access, role, CANVAS)]
    return next((role for role in able if not _nifi(access, role, MANAGERS)), next(iter([*able, *probes]), None))


def airflow_writer(access: Access, probes: Issued) -> str | None:
    """The role with most of Airflow's rights but for all of them; else any."""
    able = [role for role in probes if _level(access, role) < TOP]
    return max(able or list(probes), key=lambda role: _level(access, role), default=None)


def claimed(access: Access, own: str) -> str | None:
    """The DN that ``own`` claims to have: the subject of the role with most rights, enabled or not; None without one."""
    others = [role for role in declared(access) if role != own]
    if not others:
        return None
    role = max(others, key=lambda one: (_nifi(access, one, MANAGERS), _level(access, one)))
    return _dn.from_subject(declared(access)[role]["subject"]).rfc4514()


def skip(checks: Checks, names: t.Iterable[str], expected: str, whose: str) -> None:
    """Say of each check that it was not made, and whose probe it would take."""
    for name in names:
        checks.run(name, whose, expected, Outcome, "not checked: no probe", SKIPPED, "enable one in access.yml")


def _nifi(access: Access, role: str, resource: str, action: str = "write") -> bool:
    return _roles.declared(access["roles"][role], resource, action)


def _level(access: Access, role: str) -> int:
    return _airflow.level(access["roles"][role].get("airflow") or []) or 0
