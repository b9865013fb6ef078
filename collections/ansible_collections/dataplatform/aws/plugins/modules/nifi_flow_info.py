#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_flow_info
short_description: Read a flow from NiFi, to keep it as a file
version_added: 0.2.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Returns the definition of a process group below the root as M(dataplatform.aws.nifi_flow) takes it, without what belongs to one
    installation only, such as values of parameters. Lists have a fixed order, so that a change of the flow shows as one in git.
options:
  name:
    description: Name of the process group.
    type: str
    required: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: It changes nothing.
extends_documentation_fragment:
  - dataplatform.aws.nifi
seealso:
  - module: dataplatform.aws.nifi_flow
"""

EXAMPLES = r"""
- name: Read what somebody built on NiFi's canvas
  dataplatform.aws.nifi_flow_info:
    name: flights-stream
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
  register: flow

- name: Keep it
  ansible.builtin.copy:
    content: "{{ flow.text }}"
    dest: pipelines/flows/flights-stream.json
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
exists:
  description: Whether there is such a process group.
  returned: success
  type: bool
  sample: true
definition:
  description: Its definition. Empty when there is none.
  returned: success
  type: dict
  sample: {}
text:
  description: The definition as the content of a file.
  returned: success
  type: str
  sample: ""
"""

import json
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_flow, _nifi_flow_deploy


def main() -> None:
    module = AnsibleModule(
        argument_spec={**_nifi.argument_spec, "name": {"type": "str", "required": True}}, supports_check_mode=True
    )
    definition: dict[str, t.Any] | None = None
    try:
        with _nifi.Client(_nifi.Login.of(module.params)) as client:
            definition = _nifi_flow_deploy.download(client, module.params["name"])
    except (_nifi.NifiError, _nifi_flow.FlowError) as error:
        module.fail_json(msg=str(error))
    text = json.dumps(definition, indent=1, ensure_ascii=False) + "\n" if definition else ""
    module.exit_json(changed=False, exists=definition is not None, definition=definition or {}, text=text)


if __name__ == "__main__":
    main()
