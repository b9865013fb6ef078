# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules of this collection that call AWS have in common. Private to this collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import (
    _aws,
    _delivery,
    _dn,
    _pki,
    _private_file,
    _registry,
    _requests,
    _trust_store,
)

# What a helper raises when something outside is wrong; anything else is a defect and shows as a traceback.
EXPECTED = (
    _aws.AwsError,
    _delivery.DeliveryError,
    _dn.DnError,
    _pki.PkiError,
    _private_file.FileError,
    _registry.RegistryError,
    _requests.RequestError,
    _trust_store.TrustStoreError,
)


def require(module: AnsibleAWSModule, yaml: bool = False) -> None:
    """Fail with the name of the package when a Python library is missing."""
    for name, present in (("cryptography", _pki.HAS_CRYPTOGRAPHY), ("PyYAML", _requests.HAS_YAML or not yaml)):
        if not present:
            module.fail_json(msg=missing_required_lib(name))


def clients(module: AnsibleAWSModule, *services: str) -> tuple[t.Any, ...]:
    """boto3 clients of the services, with the module's credentials and region."""
    return tuple(module.client(service) for service in services)


def rules_of(access: dict[str, t.Any] | None) -> list[dict[str, t.Any]]:
    """The ordered rules of an access document; none without one."""
    rules = (access or {}).get("rules") or []
    _dn.check_rules(rules)
    return rules
