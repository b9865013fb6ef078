#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: trust_store_revocation
short_description: Keep the users' revocation list in a load balancer's trust store
version_added: 0.1.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Makes the trust store of an Application Load Balancer refuse whom the private CA has revoked, by one list - the CA's own.
  - A trust store keeps a copy, so the CA's list is added and the old one removed when it names more serials, or when the copy is
    about to end - an ended list locks everybody out.
  - The CA writes its list up to 30 minutes after a revocation. Serials in O(expected_serials) that it does not name yet come back
    as RV(pending); run again later.
options:
  trust_store_arn:
    description: ARN of the load balancer's trust store.
    type: str
    required: true
  certificate_authority_arn:
    description: ARN of the users' private CA. It must write a revocation list.
    type: str
    required: true
  bucket:
    description: Bucket for the copy of the list in PEM, which is the form that a trust store takes.
    type: str
    required: true
  key:
    description: Name of that copy in the bucket.
    type: str
    default: trust-store/users.crl.pem
  expected_serials:
    description: Serial numbers, in hexadecimal, that have to be on the list.
    type: list
    elements: str
    default: []
  replace_before_days:
    description:
      - Days before its end at which the list in the trust store is replaced, if the CA has one that lasts longer.
      - The default is half of the seven days that a list lasts here - the CA writes a new one at that time.
    type: float
    default: 3.5
  metrics_namespace:
    description:
      - Namespace in CloudWatch for the metric C(trust_store_revocation_list_days), the days until the list in the trust store ends.
        Nothing is published without it, nor in check mode.
      - An alarm on too few days, or on silence, says that nobody looks after the list, before it ends and everybody is locked out.
      - That the metric could not be published is a warning.
    type: str
    version_added: 0.1.0
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
- name: Let the balancer refuse who was revoked
  dataplatform.aws.trust_store_revocation:
    trust_store_arn: "{{ platform.alb.trust_store_arn }}"
    certificate_authority_arn: "{{ platform.pki.users_ca_arn }}"
    bucket: "{{ platform.buckets.certificates }}"
    expected_serials: "{{ certificates.revoked_serials }}"
    metrics_namespace: "DataPlatform/{{ platform_env }}"
    region: eu-central-1
"""

RETURN = r"""
reason:
  description: Why the list was replaced; empty when it was not.
  returned: success
  type: str
  sample: more serials are revoked
pending:
  description: Expected serials that the CA has not listed yet, so that the load balancer still lets them in.
  returned: success
  type: list
  elements: str
  sample: []
serials:
  description: Serials that the load balancer refuses.
  returned: success
  type: list
  elements: str
  sample: [3f9a0c]
next_update:
  description: When the list ends, RFC 3339; V(null) when there is none.
  returned: success
  type: str
  sample: "2026-02-07T12:00:00Z"
revocation_ids:
  description: Ids of the lists in the trust store.
  returned: success
  type: list
  elements: int
  sample: [1]
"""

import datetime as dt
import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _module, _pki, _trust_store


def _publish(module: AnsibleAWSModule, outcome: _trust_store.Outcome) -> None:
    """The list is in place by now: a metric that fails fails nothing, and its silence is an alarm."""
    try:
        _trust_store.publish(module.client("cloudwatch"), module.params["metrics_namespace"], outcome)
    except _aws.AwsError as error:
        module.warn(f"the metric {_trust_store.METRIC} was not published: {error}")


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "trust_store_arn": {"type": "str", "required": True},
            "certificate_authority_arn": {"type": "str", "required": True},
            "bucket": {"type": "str", "required": True},
            "key": {"type": "str", "default": _trust_store.COPY_KEY, "no_log": False},
            "expected_serials": {"type": "list", "elements": "str", "default": []},
            "replace_before_days": {"type": "float", "default": 3.5},
            "metrics_namespace": {"type": "str"},
        },
        supports_check_mode=True,
    )
    _module.require(module)
    result: dict[str, t.Any] = {}
    options = module.params
    try:
        outcome = _trust_store.ensure(
            _module.clients(module, "acm-pca", "s3", "elbv2"),
            options["certificate_authority_arn"],
            options["trust_store_arn"],
            (options["bucket"], options["key"]),
            [_pki.normal_serial(serial) for serial in options["expected_serials"]],
            dt.timedelta(days=options["replace_before_days"]),
            module.check_mode,
        )
        result = _trust_store.result(outcome)
        if options["metrics_namespace"] and not module.check_mode:
            _publish(module, outcome)
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
