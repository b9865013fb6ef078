# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for distinguished names: dn_parse, dn_equal, dn_role."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn


def _name(value: t.Any) -> _dn.DN:
    """The DN of text, or of a mapping of common_name, organizational_unit and organization."""
    try:
        return _dn.from_subject(value) if isinstance(value, Mapping) else _dn.parse(value)
    except _dn.DnError as error:
        raise AnsibleFilterError(str(error)) from error


def dn_parse(value: t.Any) -> dict[str, t.Any]:
    """Text, attributes and parts of a name."""
    dn = _name(value)
    return {
        "text": dn.rfc4514(),
        "attributes": {key: list(v) if isinstance(v, tuple) else v for key, v in dn.attributes.items()},
        "parts": [[{"type": kind, "value": text} for kind, text in rdn] for rdn in dn.rdns],
    }


def dn_equal(value: t.Any, other: t.Any) -> bool:
    """Whether two renderings are one identity."""
    return _name(value) == _name(other)


def dn_role(value: t.Any, rules: Sequence[Mapping[str, t.Any]]) -> str | None:
    """The role that ordered rules give a name, or None."""
    try:
        return _dn.match(_name(value), rules)
    except _dn.DnError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Callable[..., t.Any]]:
        return {"dn_parse": dn_parse, "dn_equal": dn_equal, "dn_role": dn_role}
