#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_access_info
short_description: Read NiFi's users, groups and policies
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Reads who may do what in NiFi, in the form in which M(dataplatform.aws.nifi_access) declares it.
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: This module changes nothing.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details: This module changes nothing.
notes:
  - Policies that nobody holds are not listed.
extends_documentation_fragment:
  - dataplatform.aws.nifi
seealso:
  - module: dataplatform.aws.nifi_access
"""

EXAMPLES = r"""
- name: Read who may do what
  dataplatform.aws.nifi_access_info:
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
  register: access

- name: Show who may change flows
  ansible.builtin.debug:
    msg: >-
      {{ access.policies | selectattr('resource', 'equalto', '/process-groups/root')
      | selectattr('action', 'equalto', 'write') | map(attribute='groups') | flatten }}
"""

RETURN = r"""
users:
  description: Identities of all users, sorted.
  returned: success
  type: list
  elements: str
  sample: ["CN=automation,OU=Platform-Automation,O=Platform", "CN=bob,OU=Analytics,O=Platform"]
groups:
  description: All groups.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the group.
      type: str
    users:
      description: Identities of its members, sorted.
      type: list
      elements: str
  sample: [{name: role-viewer, users: ["CN=bob,OU=Analytics,O=Platform"]}]
policies:
  description: All policies that somebody holds.
  returned: success
  type: list
  elements: dict
  contains:
    resource:
      description: The resource. V(root) stands for the root process group.
      type: str
    action:
      description: V(read) or V(write).
      type: str
    users:
      description: Identities that hold the policy themselves, sorted.
      type: list
      elements: str
    groups:
      description: Names of the groups that hold the policy, sorted.
      type: list
      elements: str
  sample: [{resource: /process-groups/root, action: read, users: [], groups: [role-viewer]}]
root_process_group:
  description: Identifier of the root process group.
  returned: success
  type: str
  sample: 0b7142d9-01a2-1000-c760-3d2818832298
identity:
  description: The identity that asked.
  returned: success
  type: str
  sample: CN=automation,OU=Platform-Automation,O=Platform
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_access, _nifi_reconcile


def main() -> None:
    module = AnsibleModule(argument_spec=dict(_nifi.argument_spec), supports_check_mode=True)
    result = {}
    try:
        with _nifi.Client(_nifi.Login.of(module.params)) as client:
            result = _nifi_access.described(_nifi_reconcile.read(client))
    except _nifi.NifiError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
