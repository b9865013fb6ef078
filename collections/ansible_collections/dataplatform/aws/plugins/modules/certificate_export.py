#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_export
short_description: Fetch a user's key and certificate into a folder
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Fetches the PKCS#12 file and its password from Secrets Manager, checks that they fit, and writes C(USER.p12),
    C(USER.password) and, with O(ca_bundle), C(ca.pem), readable by their owner only.
  - Runs with the credentials of the request's C(principal), or of the environment's pickup role; nobody else may read the secrets.
  - For a request with C(csr), whose key never left its user, writes C(USER.pem) (certificate and chain) in place of the first two.
options:
  env:
    description: Environment of the user.
    type: str
    choices: [dev, ppd, prod]
    required: true
  user:
    description: Name of the user or service, as in the request.
    type: str
    required: true
  directory:
    description: Folder to write to. It is made, for its owner only, when it is not there. Symbolic links are refused.
    type: path
    required: true
  bucket:
    description: Bucket with the certificates. Needed for requests with C(csr) only.
    type: str
  ca_bundle:
    description:
      - PEM file with the CA that signed the certificate of the platform's load balancer, if a browser does not know it already.
      - C(ca.pem) becomes a copy of it. The users' CA is not in it, but in the PKCS#12 file - a browser needs it to choose the
        certificate, and must not trust it for web sites.
    type: path
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
requirements:
  - cryptography >= 42
seealso:
  - module: dataplatform.aws.certificate_requests
"""

EXAMPLES = r"""
- name: Hand alice her certificate
  dataplatform.aws.certificate_export:
    env: dev
    user: alice
    directory: ~/certificates
    region: eu-central-1
"""

RETURN = r"""
files:
  description: Files that hold what was fetched.
  returned: success
  type: dict
  contains:
    keystore:
      description: PKCS#12 file with key, certificate and chain; V(null) for a request with C(csr).
      type: str
      returned: success
      sample: /home/alice/certificates/alice.p12
    password:
      description: File with the password of the PKCS#12 file; V(null) for a request with C(csr).
      type: str
      returned: success
      sample: /home/alice/certificates/alice.password
    certificate:
      description: Certificate and chain in PEM, for a request with C(csr); V(null) otherwise.
      type: str
      returned: success
      sample: null
    ca:
      description: CA of the load balancer's certificate; V(null) without O(ca_bundle).
      type: str
      returned: success
      sample: /home/alice/certificates/ca.pem
certificate:
  description: Public facts of the certificate.
  returned: success
  type: dict
  sample:
    dn: CN=alice,OU=DataEng,O=Platform
    serial: 3f9a0c
    not_after: "2026-07-30T12:00:00Z"
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _export, _module, _requests


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "env": {"type": "str", "choices": list(_requests.ENVIRONMENTS), "required": True},
            "user": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "bucket": {"type": "str"},
            "ca_bundle": {"type": "path"},
        },
        supports_check_mode=True,
    )
    _module.require(module)
    result: dict[str, t.Any] = {}
    try:
        secrets, s3 = _module.clients(module, "secretsmanager", "s3")
        result = _export.export(secrets, s3, module.params, module.check_mode)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
