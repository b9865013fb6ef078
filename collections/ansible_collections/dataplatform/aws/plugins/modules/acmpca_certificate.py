#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: acmpca_certificate
short_description: Issue, renew or revoke a certificate of AWS Private CA
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Has AWS Private CA sign a certificate signing request and writes the certificate, followed by its chain, to a file.
  - Leaves the file alone while its certificate belongs to the request, comes from the CA and is not about to expire.
  - Revokes a certificate with O(state=revoked).
options:
  certificate_authority_arn:
    description: ARN of the private CA.
    type: str
    required: true
  state:
    description:
      - V(present) makes sure that O(path) holds a valid certificate for O(csr).
      - V(revoked) revokes the certificate with O(serial), or the one in O(path).
    type: str
    choices: [present, revoked]
    default: present
  path:
    description:
      - File for the certificate and its chain, in PEM. Symbolic links are refused.
      - Required with O(state=present).
    type: path
  csr:
    description:
      - The certificate signing request, in PEM. Subject and alternative names are taken from it.
      - Required with O(state=present).
    type: str
  template:
    description: What the certificate may be used for, as AWS names its templates.
    type: str
    choices:
      - EndEntityClientAuthCertificate/V1
      - EndEntityServerAuthCertificate/V1
      - EndEntityCertificate/V1
    default: EndEntityClientAuthCertificate/V1
  validity_days:
    description:
      - Days for which a new certificate is valid.
      - A CA in short-lived mode allows at most 7.
    type: int
    default: 7
  renew_before_days:
    description:
      - Days before expiry at which the certificate is renewed; at most a third of its lifetime is used.
    type: float
    default: 30
  serial:
    description: Serial number of the certificate to revoke, in hexadecimal, with or without colons.
    type: str
  revocation_reason:
    description: Why the certificate is revoked.
    type: str
    choices:
      - UNSPECIFIED
      - KEY_COMPROMISE
      - CERTIFICATE_AUTHORITY_COMPROMISE
      - AFFILIATION_CHANGED
      - SUPERSEDED
      - CESSATION_OF_OPERATION
      - PRIVILEGE_WITHDRAWN
      - A_A_COMPROMISE
    default: UNSPECIFIED
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
notes:
  - Whether a certificate is revoked already is only known to the CA. With O(state=revoked), check mode reports a change.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
requirements:
  - cryptography >= 42
seealso:
  - module: dataplatform.aws.acmpca_certificate_info
  - module: dataplatform.aws.certificate_requests
"""

EXAMPLES = r"""
- name: Have the services CA sign the certificate of this host
  dataplatform.aws.acmpca_certificate:
    certificate_authority_arn: "{{ platform.pki.services_ca_arn }}"
    csr: "{{ lookup('ansible.builtin.file', '/etc/dataplatform/host.csr') }}"
    path: /etc/dataplatform/host.pem
    template: EndEntityCertificate/V1
    validity_days: 7
    region: eu-central-1

- name: Revoke a certificate whose key was lost
  dataplatform.aws.acmpca_certificate:
    certificate_authority_arn: "{{ platform.pki.users_ca_arn }}"
    state: revoked
    serial: 3f9a0c
    revocation_reason: KEY_COMPROMISE
    region: eu-central-1
"""

RETURN = r"""
certificate:
  description: The certificate that is in place, or was revoked. Empty in check mode when a new one would be made.
  returned: success
  type: dict
  contains:
    dn:
      description: Subject as RFC 4514 text.
      type: str
      returned: when a certificate is known
      sample: CN=alice,OU=DataEng,O=Platform
    subject:
      description: Subject by attribute.
      type: dict
      returned: when a certificate is known
      sample: {common_name: alice, organizational_unit: DataEng, organization: Platform}
    issuer:
      description: Subject of the CA as RFC 4514 text.
      type: str
      returned: when a certificate is known
      sample: CN=dev-acm-pca,O=Platform
    serial:
      description: Serial number, lower-case hexadecimal without leading zeros.
      type: str
      returned: success
      sample: 3f9a0c
    not_before:
      description: Start of validity, RFC 3339.
      type: str
      returned: when a certificate is known
      sample: "2026-01-31T12:00:00Z"
    not_after:
      description: End of validity, RFC 3339.
      type: str
      returned: when a certificate is known
      sample: "2026-02-07T12:00:00Z"
    fingerprint_sha256:
      description: SHA-256 of the certificate's DER form.
      type: str
      returned: when a certificate is known
      sample: 0c1f
certificate_arn:
  description: ARN of a certificate that was issued now.
  returned: when one was issued
  type: str
  sample: arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555/certificate/0c1f
reason:
  description: Why something was changed; empty when nothing was.
  returned: success
  type: str
  sample: there is no certificate
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _module, _one_certificate


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "certificate_authority_arn": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "revoked"], "default": "present"},
            "path": {"type": "path"},
            "csr": {"type": "str"},
            "template": {"type": "str", "choices": list(_acmpca.TEMPLATES), "default": _acmpca.CLIENT_AUTH},
            "validity_days": {"type": "int", "default": 7},
            "renew_before_days": {"type": "float", "default": 30},
            "serial": {"type": "str"},
            "revocation_reason": {"type": "str", "choices": list(_acmpca.REASONS), "default": "UNSPECIFIED"},
        },
        required_if=[("state", "present", ("path", "csr")), ("state", "revoked", ("serial", "path"), True)],
        supports_check_mode=True,
    )
    _module.require(module)
    result: dict[str, t.Any] = {}
    try:
        (client,) = _module.clients(module, "acm-pca")
        step = _one_certificate.ensure if module.params["state"] == "present" else _one_certificate.revoke
        result = step(client, module.params, module.check_mode)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
