# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each reviewed request against what was issued and what NiFi grants."""

from __future__ import annotations

import typing as t

from ansible_collections.dataplatform.aws.plugins.module_utils._verification._checks import CheckFailed, Outcome

GROUP_PREFIX = "role-"


def granted_policies(identity: str, nifi: t.Mapping[str, t.Any]) -> set[tuple[str, str]]:
    """The (resource, action) pairs an identity has in NiFi, by itself or by its groups.

    Args:
        identity: the user's identity in NiFi.
        nifi: ``groups`` [{name, users}], ``policies`` [{resource, action, groups, users}] as nifi_access_info returns.
    """
    groups = {group["name"] for group in nifi["groups"] if identity in group["users"]}
    return {
        (policy["resource"], policy["action"])
        for policy in nifi["policies"]
        if identity in policy["users"] or groups & set(policy["groups"])
    }


def declared_policies(role: t.Mapping[str, t.Any]) -> set[tuple[str, str]]:
    return {(policy["resource"], action) for policy in role.get("nifi", ()) for action in policy["actions"]}


def check_certificate(user: t.Mapping[str, t.Any], issued: t.Mapping[str, str]) -> Outcome:
    """Serial and DN of the certificate that the CA gave out are those on record for the reviewed request.

    Args:
        user: an entry of certificate_requests_info: ``dn``, ``serial``.
        issued: ``dn`` and ``serial`` read from the certificate itself.
    """
    wrong = [f"{key} is {issued[key]}, not {user[key]}" for key in ("dn", "serial") if issued[key] != user[key]]
    if wrong:
        raise CheckFailed("; ".join(wrong), "run `--only certificates`")
    return Outcome(f"serial {user['serial']}, {user['dn']}")


def check_grants(
    user: t.Mapping[str, t.Any], role: str | None, access: t.Mapping[str, t.Any], nifi: t.Mapping
) -> Outcome:
    """NiFi's effective policies of this user are those of the role that the rules give the DN: no less, no more."""
    dn = user["dn"]
    groups = {group["name"] for group in nifi["groups"] if dn in group["users"]}
    wanted_groups = {GROUP_PREFIX + role} if role else set()
    if groups != wanted_groups:
        raise CheckFailed(f"in groups {sorted(groups)}, not {sorted(wanted_groups)}", "run `--only access`")
    wanted = declared_policies(access["roles"][role]) if role else set()
    granted = granted_policies(dn, nifi)
    if granted != wanted:
        missing = ", ".join(f"{action} {resource}" for resource, action in sorted(wanted - granted))
        extra = ", ".join(f"{action} {resource}" for resource, action in sorted(granted - wanted))
        raise CheckFailed(f"missing: {missing or 'none'}; too many: {extra or 'none'}", "run `--only access`")
    return Outcome(f"{role or 'no role'}: {len(granted)} policies")
