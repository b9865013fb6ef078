#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_access
short_description: Declare NiFi's users, groups and policies as one whole
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Makes NiFi's users, groups, memberships and policies what is declared. What is not declared is removed, except for what
    O(protected) identities hold.
  - Removals are done before additions, so that an interruption leaves nobody with more than declared. A second run continues.
  - Reads users and groups at once. A group takes one call, whatever the number of its members, and users are made several at a
    time.
options:
  groups:
    description: Groups and their members.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the group, for example V(role-engineer).
        type: str
        required: true
      users:
        description: Identities of the members, as NiFi sees them after its mapping. They become users by that.
        type: list
        elements: str
        default: []
  users:
    description: Identities that shall exist beside the members of O(groups).
    type: list
    elements: str
    default: []
  policies:
    description:
      - Who may do what. Entries for the same resource and action add up.
    type: list
    elements: dict
    default: []
    suboptions:
      resource:
        description:
          - NiFi's resource, for example V(/flow) or V(/data/process-groups/root).
          - V(root) stands for the root process group, whose identifier each installation makes up.
        type: str
        required: true
      actions:
        description: What may be done with it.
        type: list
        elements: str
        choices: [read, write]
        required: true
      groups:
        description: Names of groups that may. They must be in O(groups).
        type: list
        elements: str
        default: []
      users:
        description: Identities that may. They become users by that.
        type: list
        elements: str
        default: []
  protected:
    description:
      - Identities, and names of groups, that lose nothing by this module, such as those of NiFi's nodes and of the proxy in
        front of it. They may be given more by O(policies).
      - The identity that runs this module is always protected.
    type: list
    elements: str
    required: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: The difference has one line per user, group, membership and grant.
notes:
  - The identity that runs this module needs NiFi's policies C(read /flow), and C(read) and C(write) of C(/tenants) and C(/policies).
    NiFi's initial admin has them.
  - Policies of single components that somebody made in NiFi are removed too when somebody holds them, so that the component
    inherits what is declared. A policy that nobody holds is not found, since NiFi lists policies by their holders.
  - Users and groups that come from a provider which NiFi cannot change, such as LDAP, are left alone.
extends_documentation_fragment:
  - dataplatform.aws.nifi
seealso:
  - module: dataplatform.aws.nifi_access_info
"""

EXAMPLES = r"""
- name: Give viewers and engineers what they need, and the automation what an initial admin lacks
  dataplatform.aws.nifi_access:
    url: https://localhost:8443/nifi-api
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
    groups:
      - name: role-viewer
        users: ["CN=bob,OU=Analytics,O=Platform"]
      - name: role-engineer
        users: ["CN=alice,OU=DataEng,O=Platform"]
    policies:
      - resource: /flow
        actions: [read]
        groups: [role-viewer, role-engineer]
      - resource: /process-groups/root
        actions: [read]
        groups: [role-viewer]
      - resource: /process-groups/root
        actions: [read, write]
        groups: [role-engineer]
        users: ["CN=automation,OU=Platform-Automation,O=Platform"]
    protected:
      - CN=edge,OU=Platform-Proxies,O=Platform

- name: Groups and policies from roles, each with its list of resources and actions
  dataplatform.aws.nifi_access:
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
    groups: >-
      {%- set found = [] -%}
      {%- for role in roles -%}
      {%- set _ = found.append({'name': 'role-' ~ role,
                                'users': people | selectattr('role', 'equalto', role) | map(attribute='dn') | list}) -%}
      {%- endfor -%}
      {{ found }}
    policies: >-
      {%- set found = [] -%}
      {%- for role in roles -%}
      {%- for policy in roles[role].nifi -%}
      {%- set _ = found.append(policy | combine({'groups': ['role-' ~ role]})) -%}
      {%- endfor -%}
      {%- endfor -%}
      {{ found }}
    protected:
      - CN=edge,OU=Platform-Proxies,O=Platform
  vars:
    roles:
      viewer:
        nifi:
          - {resource: /flow, actions: [read]}
    people:
      - {dn: "CN=bob,OU=Analytics,O=Platform", role: viewer}
"""

RETURN = r"""
added:
  description: What was added, one sorted line per user, group, membership and grant.
  returned: success
  type: list
  elements: str
  sample:
    - group role-viewer
    - member CN=bob,OU=Analytics,O=Platform of role-viewer
    - policy read /flow for group role-viewer
    - user CN=bob,OU=Analytics,O=Platform
removed:
  description: What was removed, in the same form.
  returned: success
  type: list
  elements: str
  sample: []
counts:
  description: How many users, groups, memberships and grants are declared.
  returned: success
  type: dict
  contains:
    users:
      description: Users, members of groups included.
      type: int
    groups:
      description: Groups.
      type: int
    members:
      description: Memberships.
      type: int
    grants:
      description: Grants, which are pairs of a policy and somebody who holds it.
      type: int
  sample: {users: 6, groups: 4, members: 6, grants: 61}
"""

import typing as t
from collections import Counter

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_access, _nifi_reconcile


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Reconcile; return the module's result."""
    params = module.params
    wanted = _nifi_access.declared(params["users"], params["groups"], params["policies"])
    with _nifi.Client(_nifi.Login.of(params)) as client:
        outcome = _nifi_reconcile.reconcile(client, wanted, params["protected"], module.check_mode)
    added, removed = _nifi_access.lines(outcome.plan.added), _nifi_access.lines(outcome.plan.removed)
    kinds = Counter(fact[0] for fact in wanted)
    return {
        "changed": bool(outcome.plan),
        "added": added,
        "removed": removed,
        "counts": {f"{kind}s": kinds[kind] for kind in ("user", "group", "member", "grant")},
        "diff": {
            "before_header": params["url"],
            "after_header": params["url"],
            "before": "".join(f"{line}\n" for line in removed),
            "after": "".join(f"{line}\n" for line in added),
        },
    }


def main() -> None:
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            **_nifi.argument_spec,
            "groups": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "users": names},
            },
            "users": names,
            "policies": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "resource": {"type": "str", "required": True},
                    "actions": {
                        "type": "list",
                        "elements": "str",
                        "choices": list(_nifi_access.ACTIONS),
                        "required": True,
                    },
                    "groups": names,
                    "users": names,
                },
            },
            "protected": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except (_nifi.NifiError, _nifi_access.AccessError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
