#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_requests
short_description: Make issued client certificates agree with a directory of reviewed requests
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - The directory is the whole truth. A new request is issued, one near its end is renewed, one that changed is replaced and its
    old certificate revoked, and whoever's file is gone or says C(revoked) is revoked.
  - All files are checked before anything is changed; every finding names file, line, value and fix.
  - A request with C(csr) keeps its private key with the user. Without one the key is made in memory and handed over as PKCS#12
    and password, in two Secrets Manager secrets that only the request's C(principal), else O(pickup_principal), may read.
  - What was issued is kept as public facts in O(bucket). A run that was killed is mended by the next one.
  - Refreshes the list of revoked serials that the edges pull, on every run. Its new time alone does not count as a change.
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
    required: true
  certificate_authority_arn:
    description: ARN of the users' private CA.
    type: str
    required: true
  bucket:
    description: Bucket for registry, certificates and the list of revoked serials.
    type: str
    required: true
  pickup_principal:
    description: ARN of the role that may read the secrets of requests without C(principal).
    type: str
    required: true
  rules:
    description: Ordered rules "attributes of the subject → role"; the first match wins. Used for RV(users) only.
    type: list
    elements: dict
    default: []
  renew_before_days:
    description: Days before expiry at which a certificate is renewed; at most a third of its lifetime is used.
    type: float
    default: 30
  kms_key_id:
    description:
      - KMS key for the secrets. Who fetches them needs C(kms:Decrypt) with it.
      - Without it AWS encrypts with the account's own key for Secrets Manager, which needs no further permission.
    type: str
  tags:
    description: Tags for the secrets.
    type: dict
    default: {}
  allow_empty:
    description: Whether an empty directory may revoke everybody who still has a certificate.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
notes:
  - The CA needs a revocation list (C(crl_configuration)). It counts too, so a certificate that was revoked elsewhere is replaced.
  - A certificate that is renewed because it expires is not revoked, so that its user has time to fetch the new one.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
requirements:
  - cryptography >= 42
  - PyYAML
seealso:
  - module: dataplatform.aws.certificate_requests_info
  - module: dataplatform.aws.certificate_export
  - module: dataplatform.aws.trust_store_revocation
"""

EXAMPLES = r"""
- name: Issue, renew and revoke what the reviewed requests say
  dataplatform.aws.certificate_requests:
    env: dev
    directory: cert-requests/dev
    certificate_authority_arn: "{{ platform.pki.users_ca_arn }}"
    bucket: "{{ platform.buckets.certificates }}"
    pickup_principal: "{{ platform.roles.pickup }}"
    rules: "{{ access.rules }}"
    region: eu-central-1
  register: certificates
"""

RETURN = r"""
issued:
  description: Users who got their first certificate, or one again after a revocation.
  returned: success
  type: list
  elements: str
  sample: [alice]
renewed:
  description: Users whose certificate was renewed, or replaced because the request changed or the secrets were lost.
  returned: success
  type: list
  elements: str
  sample: [bob]
revoked:
  description: Certificates that were revoked.
  returned: success
  type: list
  elements: dict
  sample:
    - {user: carol, serial: 3f9a0c, reason: CESSATION_OF_OPERATION}
unchanged:
  description: Users with a certificate that is still good.
  returned: success
  type: list
  elements: str
  sample: [alice]
users:
  description: Everybody with a valid certificate, sorted by name.
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
    status:
      description: V(issued), V(renewed), V(replaced), V(delivered) (published again) or V(unchanged).
      type: str
      returned: success
      sample: unchanged
planned:
  description: What a run without check mode would obtain, and why.
  returned: in check mode
  type: list
  elements: dict
  sample:
    - {user: alice, action: issued, because: no valid certificate}
revocation_list:
  description: The list that the edges pull.
  returned: when not in check mode
  type: dict
  sample: {bucket: nifi-dev-certs-example, key: revocations/users.txt, updated: "2026-01-31T12:00:00Z", serials: 1, changed: false}
revoked_serials:
  description: Serials of certificates that are revoked and not expired, for M(dataplatform.aws.trust_store_revocation).
  returned: success
  type: list
  elements: str
  sample: [3f9a0c]
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
            "directory": {"type": "path", "required": True},
            "certificate_authority_arn": {"type": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            "pickup_principal": {"type": "str", "required": True},
            "rules": {"type": "list", "elements": "dict", "default": []},
            "renew_before_days": {"type": "float", "default": 30},
            "kms_key_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "allow_empty": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    _module.require(module, yaml=True)
    result: dict[str, t.Any] = {}
    try:
        clients = _module.clients(module, "acm-pca", "s3", "secretsmanager")
        result = _reconcile.reconcile(clients, module.params, module.check_mode)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    if result["errors"]:
        module.fail_json(msg=_reconcile.failure(result["errors"]), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
