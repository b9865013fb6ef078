#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: nifi_node_info
short_description: Read a NiFi node's health, version, cluster and the certificate it serves
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Asks one NiFi node how it is, and looks at the certificate that it serves.
  - A node that does not answer is a result, not a failure, so that a task can wait with C(until).
options:
  management_url:
    description: Health of NiFi's management server, which listens on loopback of the node.
    type: str
    default: http://127.0.0.1:52020/health
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
  - The certificate is read without being checked, to show also a wrong or expired one. RV(problem) says whether NiFi could be
    asked with O(ca_path).
  - Nodes of a cluster are listed only to an identity that may C(read /controller).
requirements:
  - cryptography >= 42
extends_documentation_fragment:
  - dataplatform.aws.nifi
seealso:
  - module: dataplatform.aws.nifi_access_info
"""

EXAMPLES = r"""
- name: Wait until the node serves the certificate that was just issued
  dataplatform.aws.nifi_node_info:
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
  register: node
  until: node.certificate.serial | default('') == wanted_serial
  retries: 30
  delay: 1
  vars:
    wanted_serial: 3f9a0c

- name: Wait until the node is connected to its cluster
  dataplatform.aws.nifi_node_info:
    client_cert: /etc/dataplatform/automation/certificate.pem
    client_key: /etc/dataplatform/automation/key.pem
    ca_path: /etc/dataplatform/services-ca.pem
  register: node
  until: node.cluster.connected | default(false)
  retries: 60
  delay: 2
"""

RETURN = r"""
healthy:
  description: Whether the management server says that NiFi is up, and NiFi answered.
  returned: success
  type: bool
  sample: true
problem:
  description: What is wrong, empty when RV(healthy).
  returned: success
  type: str
  sample: ""
version:
  description: Version of NiFi, empty when it did not answer.
  returned: success
  type: str
  sample: 2.3.0
identity:
  description: The identity that NiFi takes the caller for, empty when it did not answer.
  returned: success
  type: str
  sample: CN=automation,OU=Platform-Automation,O=Platform
cluster:
  description: The cluster. Empty when NiFi did not answer.
  returned: success
  type: dict
  contains:
    clustered:
      description: Whether the node is part of a cluster.
      type: bool
    connected:
      description: Whether the node is connected to its cluster; V(true) for a node without one.
      type: bool
    connected_nodes:
      description: How many nodes are connected.
      type: int
    total_nodes:
      description: How many nodes the cluster knows.
      type: int
    nodes:
      description: The nodes, where the identity may see them.
      type: list
      elements: dict
      contains:
        id:
          description: Identifier of the node in the cluster.
          type: str
        address:
          description: Host and port of its REST API.
          type: str
        status:
          description: For example V(CONNECTED) or V(OFFLOADED).
          type: str
        roles:
          description: For example V(Cluster Coordinator).
          type: list
          elements: str
  sample: {clustered: false, connected: true, connected_nodes: 1, total_nodes: 1, nodes: []}
certificate:
  description: The certificate that NiFi serves. Empty when nothing answers.
  returned: success
  type: dict
  contains:
    dn:
      description: Subject as RFC 4514 text.
      type: str
    subject:
      description: The subject's attributes by name, for example C(common_name).
      type: dict
    serial:
      description: Serial number in hexadecimal, without leading zeros or colons.
      type: str
    issuer:
      description: Issuer as RFC 4514 text.
      type: str
    not_before:
      description: Begin of validity, in UTC.
      type: str
    not_after:
      description: End of validity, in UTC.
      type: str
    fingerprint_sha256:
      description: SHA-256 fingerprint in hexadecimal.
      type: str
  sample:
    dn: CN=ip-10-20-1-10.eu-central-1.compute.internal,OU=Platform-Nodes,O=Platform
    serial: 3f9a0c
    issuer: CN=dev-acm-pca-services,O=Platform
    not_before: "2026-01-01T00:00:00Z"
    not_after: "2026-01-08T00:00:00Z"
    fingerprint_sha256: 5d3a1c8e
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_node, _pki


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **_nifi.argument_spec,
            "management_url": {"type": "str", "default": "http://127.0.0.1:52020/health"},
        },
        supports_check_mode=True,
    )
    if not _pki.HAS_CRYPTOGRAPHY:
        module.fail_json(msg=missing_required_lib("cryptography"))
    result = {}
    try:
        result = _nifi_node.info(_nifi.Login.of(module.params), module.params["management_url"])
    except _nifi.NifiError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
