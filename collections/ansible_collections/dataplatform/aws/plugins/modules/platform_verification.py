#!/usr/bin/python
# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_verification
version_added: 0.1.0
short_description: Verify a data platform by logging in as its users do
description:
  - Logs in to NiFi through the balancer with one probe certificate for each role and compares what each may do with what is declared.
  - Where the platform document has C(airflow), does the same in Airflow with its roles; where it has C(ingest), sends a request as each role
    to the door for records, to a path where no flow listens.
  - Tries everything that must be refused, each by a check of its own - no certificate, another CA's, a lapsed one, a revoked one,
    identity headers sent by the client, writes caused by another site, certificates named like the platform's own identities,
    another certificate's token, and connections that go around the balancer.
  - Compares each issued certificate with its reviewed request, and NiFi's effective policies with the role of its DN.
  - Probe certificates live for an hour at most; their keys exist in the module's memory only.
  - The module never fails because of a failed check. Judge O(ignore:checks) of the result.
author:
  - Data platform provisioner contributors (@dataplatform)
options:
  platform:
    description:
      - The platform document that Terraform writes to the SSM parameter C(/dataplatform/ENV/platform).
    type: dict
    required: true
  access:
    description:
      - Rules, roles and probes, as declared in C(access.yml).
    type: dict
    required: true
  users:
    description:
      - The issued certificates, as M(dataplatform.aws.certificate_requests_info) returns them.
      - Each needs C(user), C(dn), C(serial) and C(certificate_arn).
    type: list
    elements: dict
    default: []
  nifi:
    description:
      - Users, groups and policies as M(dataplatform.aws.nifi_access_info) returns them.
    type: dict
    required: true
  attempts:
    description:
      - Connections tried from other hosts of the VPC.
      - Without any, reach is computed from the security groups' rules only.
    type: list
    elements: dict
    default: []
    suboptions:
      source:
        description: The host that tried.
        type: str
        required: true
      target:
        description: The address tried.
        type: str
        required: true
      port:
        description: The TCP port tried.
        type: int
        required: true
      connected:
        description: Whether a connection came about.
        type: bool
        required: true
      service:
        description: Whose host the target is.
        type: str
        choices: [nifi, airflow]
        default: nifi
  ingest_roles:
    description:
      - The roles whose subjects may push records, as the edge has them in C(edge_ingest_roles).
    type: list
    elements: str
    default: [producer]
  ca_path:
    description:
      - CA file that signed the listener's certificate. The system's trust store when omitted or empty.
    type: path
  revocation_timeout:
    description:
      - Seconds within which the edge has to refuse a revoked serial. It pulls its list every minute.
    type: int
    default: 100
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: none
    details:
      - A verification issues and revokes probe certificates, so that check mode skips it.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details:
      - Nothing of the platform is changed that a difference could show.
"""

EXAMPLES = r"""
- name: Verify the platform
  dataplatform.aws.platform_verification:
    platform: "{{ platform }}"
    access: "{{ access }}"
    users: "{{ certificates.users }}"
    nifi: "{{ nifi_state }}"
    ca_path: /etc/ssl/certs/ca-certificates.crt
  register: verification

- name: Every check passed
  ansible.builtin.assert:
    that: verification.failed_checks | length == 0
"""

RETURN = r"""
checks:
  description: Every check that was made, in the order made.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: A stable name, such as C(refused:no-certificate).
      type: str
      returned: always
    subject:
      description: Whom or what the check is about, mostly a DN.
      type: str
      returned: always
    expected:
      description: What had to be seen.
      type: str
      returned: always
    observed:
      description: What was seen.
      type: str
      returned: always
    status:
      description:
        - V(passed), V(failed), V(pending) (not decidable yet), V(computed) (derived from rules, not tried) or V(skipped).
      type: str
      returned: always
    detail:
      description: What to do about it.
      type: str
      returned: always
    seconds:
      description: How long the check took.
      type: float
      returned: always
failed_checks:
  description: The names of the failed checks.
  returned: always
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _acmpca, _aws, _dn, _pki, _registry, _trust_store
from ansible_collections.dataplatform.aws.plugins.module_utils._verification import _network, _probes, _run
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import Endpoint

ATTEMPT = {
    "source": {"type": "str", "required": True},
    "target": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "connected": {"type": "bool", "required": True},
    "service": {"type": "str", "choices": ["nifi", "airflow"], "default": "nifi"},
}


class Account:
    """The calls to AWS that a verification makes."""

    def __init__(self, module: t.Any, platform: t.Mapping[str, t.Any]) -> None:
        self.platform = platform
        self.acmpca = module.client("acm-pca")
        self.s3 = module.client("s3")
        self.elbv2 = module.client("elbv2")
        self.ec2 = module.client("ec2")
        self.users_ca = platform["pki"]["users_ca_arn"]

    def revoke(self, probe: _probes.Probe) -> None:
        """Revoke a probe and put its serial on the edges' list."""
        record = _registry.Record(
            user="probe-revoked",
            kind="probe",
            dn=probe.dn,
            serial=probe.serial,
            certificate_arn=probe.arn,
            not_before=_pki.rfc3339(probe.not_before),
            not_after=_pki.rfc3339(probe.not_after),
            request_sha256="",
            delivery="none",
        )
        _acmpca.revoke(self.acmpca, self.users_ca, probe.serial, "CESSATION_OF_OPERATION")
        _registry.record_revoked(self.s3, self.platform["buckets"]["certificates"], record, "CESSATION_OF_OPERATION")

    def refresh_trust_store(self, serial: str) -> bool:
        """Put the CA's newest list into the trust store; false while the serial is not on it."""
        copy = (self.platform["buckets"]["certificates"], _trust_store.COPY_KEY)
        outcome = _trust_store.ensure(
            (self.acmpca, self.s3, self.elbv2), self.users_ca, self.platform["alb"]["trust_store_arn"], copy, [serial]
        )
        return not outcome.pending

    def issued(self, user: t.Mapping[str, t.Any]) -> dict[str, str]:
        """DN and serial of the certificate that the CA gave out for a request."""
        found = _acmpca.get(self.acmpca, self.users_ca, user["certificate_arn"])
        certificate = _pki.load_certificate(found.certificate_pem)
        return {"dn": _dn.from_certificate(certificate).rfc4514(), "serial": _pki.serial_hex(certificate)}

    def rules(self, service: str) -> list[dict[str, t.Any]]:
        """The rules of the security group of a service's hosts."""
        filters = [{"Name": "group-id", "Values": [self.platform[service]["security_group_id"]]}]
        return _aws.pages(self.ec2, "describe_security_group_rules", "SecurityGroupRules", Filters=filters)


def ports(platform: t.Mapping[str, t.Any], rules: t.Callable[[str], t.Any]) -> list[_network.Port]:
    """The ports that only the balancer, or only hosts of the same kind, may reach; ``rules`` reads a service's."""
    balancer = {platform["alb"]["security_group_id"]}
    nifi, airflow, ingest = platform["nifi"], platform.get("airflow"), platform.get("ingest")
    nodes, found = {nifi["security_group_id"]}, []

    def add(name: str, service: str, number: t.Any, allowed: set[str], nobody_but: str) -> None:
        found.append(_network.Port(name, service, int(number), read[service], allowed, nobody_but))

    read = {"nifi": rules("nifi")} | ({"airflow": rules("airflow")} if airflow else {})
    add("edge", "nifi", nifi["edge_port"], balancer, "the balancer")
    add("node", "nifi", nifi["https_port"], nodes, "other nodes")
    if ingest:
        add("ingest-edge", "nifi", ingest["edge_port"], balancer, "the balancer")
        add("ingest-listener", "nifi", ingest["listen_port"], set(), "")
    if airflow:
        add("airflow-edge", "airflow", airflow["edge_port"], balancer, "the balancer")
        add("airflow-api", "airflow", airflow["api_port"], {airflow["security_group_id"]}, "other Airflow hosts")
    return found


def verify(module: t.Any) -> dict[str, t.Any]:
    """Gather what the checks need, make them, and return the module's result."""
    platform = module.params["platform"]
    account = Account(module, platform)

    def door(service: str) -> Endpoint | None:
        ca_path = module.params["ca_path"] or None
        return Endpoint(platform["hosts"][service], ca_path=ca_path) if platform.get(service) else None

    inputs = _run.Inputs(
        endpoint=door("nifi"),
        airflow=door("airflow"),
        ingest=door("ingest"),
        ingest_roles=module.params["ingest_roles"],
        acmpca=account.acmpca,
        users_ca_arn=account.users_ca,
        access=module.params["access"],
        users=module.params["users"],
        nifi=module.params["nifi"],
        ports=ports(platform, account.rules),
        attempts=module.params["attempts"],
        revoke=account.revoke,
        refresh_trust_store=account.refresh_trust_store,
        issued=account.issued,
        revocation_seconds=module.params["revocation_timeout"],
    )
    checks = _run.run(inputs)
    failed = [check.name for check in checks.done if check.status == "failed"]
    return {"changed": False, "checks": checks.as_dicts(), "failed_checks": failed}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "platform": {"type": "dict", "required": True},
            "access": {"type": "dict", "required": True},
            "users": {"type": "list", "elements": "dict", "default": []},
            "nifi": {"type": "dict", "required": True},
            "attempts": {"type": "list", "elements": "dict", "default": [], "options": ATTEMPT},
            "ingest_roles": {"type": "list", "elements": "str", "default": ["producer"]},
            "ca_path": {"type": "path"},
            "revocation_timeout": {"type": "int", "default": 100},
        },
        supports_check_mode=False,
    )
    try:
        module.exit_json(**verify(module))
    except (_aws.AwsError, _pki.PkiError, _registry.RegistryError, _trust_store.TrustStoreError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
