#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: acmpca_certificate_info
short_description: Look at a private CA and at certificates that it issued
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Returns a private CA's state and certificate, its revocation list, and what is asked for of the certificates it issued.
options:
  certificate_authority_arn:
    description: ARN of the private CA.
    type: str
    required: true
  certificate_arns:
    description:
      - ARNs of certificates to fetch and decode.
      - AWS Private CA cannot list what it issued; M(dataplatform.aws.certificate_requests_info) knows the users'.
    type: list
    elements: str
    default: []
  revoked:
    description: Whether to read the CA's revocation list too.
    type: bool
    default: true
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
requirements:
  - cryptography >= 42
seealso:
  - module: dataplatform.aws.acmpca_certificate
  - module: dataplatform.aws.certificate_requests_info
"""

EXAMPLES = r"""
- name: Look at the users' CA
  dataplatform.aws.acmpca_certificate_info:
    certificate_authority_arn: "{{ platform.pki.users_ca_arn }}"
    region: eu-central-1
  register: users_ca

- name: Stop unless the CA can sign
  ansible.builtin.assert:
    that: users_ca.authority.status == 'ACTIVE'
"""

RETURN = r"""
authority:
  description: The CA.
  returned: success
  type: dict
  contains:
    arn:
      description: ARN of the CA.
      type: str
      returned: success
      sample: arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111-2222-3333-4444-555555555555
    status:
      description: State as AWS names it.
      type: str
      returned: success
      sample: ACTIVE
    usage_mode:
      description: V(GENERAL_PURPOSE) or V(SHORT_LIVED_CERTIFICATE).
      type: str
      returned: success
      sample: GENERAL_PURPOSE
    signing_algorithm:
      description: Algorithm that the CA signs with.
      type: str
      returned: success
      sample: SHA256WITHECDSA
    certificate:
      description: The CA's certificate, in PEM.
      type: str
      returned: success
      sample: "-----BEGIN CERTIFICATE-----..."
    chain:
      description: Certificates above the CA's, in PEM; empty for a root.
      type: str
      returned: success
      sample: ""
    dn:
      description: Subject of the CA as RFC 4514 text.
      type: str
      returned: success
      sample: CN=dev-acm-pca,O=Platform
    not_after:
      description: End of the CA's validity, RFC 3339.
      type: str
      returned: success
      sample: "2036-01-31T12:00:00Z"
certificates:
  description: The certificates asked for, in the order of O(certificate_arns).
  returned: success
  type: list
  elements: dict
  sample:
    - arn: arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111/certificate/0c1f
      dn: CN=alice,OU=DataEng,O=Platform
      serial: 3f9a0c
      revoked_at: null
revocation_list:
  description: The CA's revocation list; V(null) when it has written none.
  returned: when O(revoked=true)
  type: dict
  sample:
    next_update: "2026-02-07T12:00:00Z"
    serials: {3f9a0c: "2026-01-31T12:00:00Z"}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _authority_info, _module


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "certificate_authority_arn": {"type": "str", "required": True},
            "certificate_arns": {"type": "list", "elements": "str", "default": []},
            "revoked": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    _module.require(module)
    result: dict[str, t.Any] = {}
    try:
        pca, s3 = _module.clients(module, "acm-pca", "s3")
        result = _authority_info.look(pca, s3, module.params)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
