#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_flow
short_description: Deploy a flow definition that is kept as a file
version_added: 0.2.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Makes a process group below the root what a flow definition says, as NiFi's C(Download flow definition) writes it. The group is
    created once, and replaced in place when it differs; its queues stay, and what runs keeps running.
  - Definitions are compared by what counts in them, since NiFi gives each upload identifiers of its own. So a second run changes
    nothing, and what somebody changed by hand in NiFi is seen and put right.
  - Parameters of the flow live in a parameter context with the name of the group. Each environment gives its own values.
options:
  name:
    description: Name of the process group, and of its parameter context.
    type: str
    required: true
  definition:
    description:
      - The flow definition. Usually the content of a file.
      - Required unless O(state=absent).
    type: dict
  parameters:
    description:
      - Values of the parameters that the flow uses. A parameter without a value is an error.
      - Not for secrets. NiFi never tells sensitive values, so that they could not be compared.
    type: dict
    default: {}
  state:
    description:
      - With V(running) and V(stopped) the group's components are started or stopped after the deployment.
      - With V(present) they are left as they are; a new group is stopped. That is for flows that something else starts.
      - With V(absent) the group is stopped and removed, unless FlowFiles wait in it. Its parameter context stays.
      - Controller services are enabled in all states but V(absent).
    type: str
    choices: [running, stopped, present, absent]
    default: present
  grant:
    description:
      - Give the identity that runs this module the policies that deploying takes, before anything else.
      - Works for identities that may change policies, such as NiFi's initial admin. Takes nothing from anybody.
    type: bool
    default: false
  step_timeout:
    description: Seconds that NiFi may take to replace a flow, to set parameters, or to make components valid.
    type: int
    default: 180
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: Where O(grant) has not been carried out yet, nothing can be read; then everything counts as a change.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details: The difference is that of parameters and of the normalised definitions.
notes:
  - The identity that runs this module needs C(read) and C(write) of C(/process-groups/root) and C(/parameter-contexts), and C(write)
    of C(/restricted-components) for flows that touch the host's files. See O(grant).
  - Only parameters of flows and their processors are handled. The NARs and Python processors that a flow uses must be there.
  - NiFi refuses to replace a flow when a connection that holds FlowFiles would go away.
extends_documentation_fragment:
  - dataplatform.aws.nifi
seealso:
  - module: dataplatform.aws.nifi_flow_info
  - module: dataplatform.aws.nifi_access
"""

EXAMPLES = r"""
- name: Deploy the flow of flights, and let it run
  dataplatform.aws.nifi_flow:
    name: flights-stream
    definition: "{{ lookup('ansible.builtin.file', 'pipelines/flows/flights-stream.json') | from_json }}"
    parameters:
      bronze.bucket: dl-dev-bronze
      bronze.prefix: flights
      listen.host: 127.0.0.1
      listen.port: "9500"
      merge.seconds: 10 sec
      spool.folder: /var/lib/nifi/spool
    state: running
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem

- name: Remove a flow that is no longer needed
  dataplatform.aws.nifi_flow:
    name: trial
    state: absent
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
"""

RETURN = r"""
actions:
  description: What was done, in this order. Empty when nothing had to be.
  returned: success
  type: list
  elements: str
  sample: [set parameters, replace]
granted:
  description: Policies that were given by O(grant).
  returned: success
  type: list
  elements: str
  sample: []
id:
  description: Identifier of the process group. Empty where there is none.
  returned: success
  type: str
  sample: 1197822a-01a2-1000-ea2d-3a1e973c1787
state:
  description: What the group does now, which is V(running), V(stopped) or V(absent).
  returned: success
  type: str
  sample: running
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_flow, _nifi_flow_deploy


def ensure(module: AnsibleModule) -> dict[str, t.Any]:
    """Deploy; return the module's result."""
    params = module.params
    values = {str(key): str(value) for key, value in params["parameters"].items()}
    flow = _nifi_flow_deploy.Flow(params["name"], params["definition"], values, params["state"])
    with _nifi.Client(_nifi.Login.of(params)) as client:
        granted = _nifi_flow_deploy.grant(client, module.check_mode) if params["grant"] else []
        if granted and module.check_mode:
            return {"changed": True, "actions": ["create"], "granted": granted, "id": "", "state": "absent"}
        outcome = _nifi_flow_deploy.Deployment(client, flow, module.check_mode, params["step_timeout"]).ensure()
    header = f"{params['name']} on {params['url']}"
    return {
        "changed": bool(outcome.actions or granted),
        "actions": outcome.actions,
        "granted": granted,
        "id": outcome.id,
        "state": outcome.state,
        "diff": {"before_header": header, "after_header": header, "before": outcome.before, "after": outcome.after},
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_nifi.argument_spec,
            "name": {"type": "str", "required": True},
            "definition": {"type": "dict"},
            "parameters": {"type": "dict", "default": {}},
            "state": {"type": "str", "choices": list(_nifi_flow_deploy.STATES), "default": "present"},
            "grant": {"type": "bool", "default": False},
            "step_timeout": {"type": "int", "default": 180},
        },
        required_if=[("state", state, ["definition"]) for state in ("running", "stopped", "present")],
        supports_check_mode=True,
    )
    result: dict[str, t.Any] = {}
    try:
        result = ensure(module)
    except (_nifi.NifiError, _nifi_flow.FlowError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
