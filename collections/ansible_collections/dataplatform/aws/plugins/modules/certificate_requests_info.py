#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_requests_info
short_description: Look at reviewed certificate requests and at what was issued for them
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - With O(directory), reads and checks the requests of an environment.
  - With O(bucket), reads the registry of issued certificates.
  - With both, tells for every request which certificate is in use.
options:
  env:
    description: Environment that the requests must be for.
    type: str
    choices: [dev, ppd, prod]
    required: true
    aliases: [environment_name]
  directory:
    description: Folder with one file C(USER.yaml) for each user or service.
    type: path
  bucket:
    description: Bucket with the registry.
    type: str
  rules:
    description: Ordered rules "attributes of the subject → role"; the first match wins.
    type: list
    elements: dict
    default: []
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
  - PyYAML
seealso:
  - module: dataplatform.aws.certificate_requests
"""

EXAMPLES = r"""
- name: Read who there is, without AWS
  dataplatform.aws.certificate_requests_info:
    env: dev
    directory: cert-requests/dev
    rules: "{{ access.rules }}"
  register: requests

- name: Read what was issued
  dataplatform.aws.certificate_requests_info:
    env: dev
    bucket: "{{ platform.buckets.certificates }}"
    region: eu-central-1
  register: certificates
"""

RETURN = r"""
users:
  description:
    - With O(directory), everybody with a request that is not revoked; else everybody with a valid certificate.
  returned: success
  type: list
  elements: dict
  contains:
    user:
      description: Name of the user or service.
      type: str
      returned: success
      sample: alice
    kind:
      description: V(user) or V(service).
      type: str
      returned: success
      sample: user
    dn:
      description: Subject as RFC 4514 text; also the identity in NiFi.
      type: str
      returned: success
      sample: CN=alice,OU=DataEng,O=Platform
    role:
      description: Role that O(rules) give the subject; V(null) without one.
      type: str
      returned: success
      sample: engineer
    serial:
      description: Serial number of the certificate in use, lower-case hexadecimal; V(null) when there is none yet.
      type: str
      returned: success
      sample: 3f9a0c
    not_before:
      description: Start of validity, RFC 3339.
      type: str
      returned: success
      sample: "2026-01-31T12:00:00Z"
    expires:
      description: End of validity, RFC 3339.
      type: str
      returned: success
      sample: "2026-07-30T12:00:00Z"
    certificate_arn:
      description: ARN of the certificate in use.
      type: str
      returned: success
      sample: arn:aws:acm-pca:eu-central-1:111122223333:certificate-authority/11111111/certificate/0c1f
    delivery:
      description:
        - V(secret) when key and password lie in Secrets Manager, V(certificate) when the key never left the user.
      type: str
      returned: success
      sample: secret
    file:
      description: File of the request.
      type: str
      returned: with O(directory)
      sample: cert-requests/dev/alice.yaml
revoked_users:
  description:
    - With O(directory), users whose request says C(revoked); else users without a valid certificate any more.
  returned: success
  type: list
  elements: str
  sample: [carol]
certificates:
  description: Every issued certificate that the registry knows; empty without O(bucket).
  returned: success
  type: list
  elements: dict
  sample:
    - user: alice
      dn: CN=alice,OU=DataEng,O=Platform
      serial: 3f9a0c
      not_after: "2026-07-30T12:00:00Z"
      valid: true
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _module, _reconcile, _requests


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "env": {
                "type": "str",
                "choices": list(_requests.ENVIRONMENTS),
                "required": True,
                "aliases": ["environment_name"],
            },
            "directory": {"type": "path"},
            "bucket": {"type": "str"},
            "rules": {"type": "list", "elements": "dict", "default": []},
        },
        required_one_of=[("directory", "bucket")],
        supports_check_mode=True,
    )
    _module.require(module, yaml=True)
    result: dict[str, t.Any] = {}
    try:
        s3 = _module.clients(module, "s3")[0] if module.params["bucket"] else None
        result = _reconcile.look(s3, module.params)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
