# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations


class ModuleDocFragment:
    # The options of module_utils/_nifi.py: argument_spec
    DOCUMENTATION = r"""
options:
  url:
    description: Base URL of NiFi's REST API.
    type: str
    default: https://localhost:8443/nifi-api
  client_cert:
    description: Client certificate in PEM, with the chain above it where NiFi needs one. May hold the key as well.
    type: path
    required: true
  client_key:
    description: Unencrypted key of O(client_cert) in PEM. Not needed when O(client_cert) holds it.
    type: path
  ca_path:
    description: Certificates in PEM of the CAs that NiFi's own certificate is checked with.
    type: path
    required: true
  timeout:
    description: Seconds that NiFi may take for one answer.
    type: int
    default: 60
notes:
  - Runs on a host that reaches O(url) and holds O(client_cert), O(client_key) and O(ca_path). Usually that is a NiFi node, over
    loopback.
"""
