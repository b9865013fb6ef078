#!/usr/bin/python
# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pipeline_verification
version_added: 0.1.0
short_description: Verify the pipelines of a data platform from landing to gold
description:
  - Logs in to Airflow through the balancer with a probe certificate of the least role that may start a run.
  - Has Airflow pick up a DAG from the bucket, lets a run of it miss its deadline, and waits for the alert. The DAG is removed again.
  - Waits until Airflow has read all DAGs once more; O(dag_id) has to be there, and no file may have an import error.
  - Tries to start a NiFi flow with a role that may not, and sees by IAM's policies that Airflow needs its trigger role for it.
  - With O(data_directory), puts the files into the landing folder, starts the DAG on them, follows it to its end,
    and compares what bronze, silver and gold hold with O(expected).
  - A run for the same data and the same code that goes on or has succeeded is taken instead of a new one, so that a verification
    can be repeated, and go on after it was killed. Bronze has to hold the data still.
  - Probe certificates live for an hour at most; their keys and the tokens they are exchanged for exist in the module's memory only.
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
  dag_id:
    description:
      - The DAG that takes landed files to gold.
    type: str
    default: flights_daily
  conf:
    description:
      - What its run is given.
      - Without it C(first_day) and C(last_day), the first and the last of the landing files.
    type: dict
    default: {}
  data_directory:
    description:
      - A folder with landing files named C(YYYY-MM-DD.csv). Without it no data is put in and no run is started.
    type: path
  landing_prefix:
    description:
      - Where landing files lie in the artifacts bucket, with a slash at the end.
    type: str
    default: landing/flights/
  expected:
    description:
      - What the layers hold after the run, computed without the platform. Needed with O(data_directory).
      - C(silver.rows), C(gold.rows) and C(gold.checksum). They are compared with whole tables.
    type: dict
    default: {}
  probe_dag:
    description:
      - Whether a DAG of the verification's own is put into the DAG bucket.
    type: bool
    default: true
  run_timeout:
    description:
      - Seconds within which the run has to succeed.
    type: int
    default: 1800
  visible_timeout:
    description:
      - Seconds within which an uploaded DAG has to be visible.
    type: int
    default: 60
  alert_timeout:
    description:
      - Seconds within which the alert of a late run has to arrive.
    type: int
    default: 150
  progress_path:
    description:
      - A file to which lines about the run's progress are appended.
    type: path
  ca_path:
    description:
      - CA file that signed the listener's certificate. The system's trust store when omitted or empty.
    type: path
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target.
    support: none
    details:
      - A verification issues probe certificates and starts runs, so that check mode skips it.
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details:
      - Nothing of the platform is changed that a difference could show.
"""

EXAMPLES = r"""
- name: Verify DAG delivery and alerts, without any data
  dataplatform.aws.pipeline_verification:
    platform: "{{ platform }}"
    access: "{{ access }}"
  register: verification

- name: Have a day of flights go through to gold
  dataplatform.aws.pipeline_verification:
    platform: "{{ platform }}"
    access: "{{ access }}"
    data_directory: /var/tmp/flights
    expected:
      silver: {rows: 835}
      gold: {rows: 14, checksum: "sha256:0f343b0931126a20f133d67c2b018a3b0f343b0931126a20f133d67c2b018a3b"}
  register: verification

- name: Every check passed
  ansible.builtin.assert:
    that: verification.failed_checks | length == 0
"""

RETURN = r"""
checks:
  description: Every check that was made, in the order made. C(platform_verification) describes their keys.
  returned: always
  type: list
  elements: dict
  sample: [{name: "pipeline:dag-visible", subject: verification_0a1b2c3d4e5f, expected: visible within 60 s of its upload,
            observed: visible after 11 s, status: passed, detail: "", seconds: 11.2}]
failed_checks:
  description: The names of the failed checks.
  returned: always
  type: list
  elements: str
  sample: []
lake:
  description:
    - Objects, bytes and rows of each layer, the Iceberg tables, the last run, and gold's checksum beside the expected one.
  returned: always
  type: dict
  sample: {bronze: {objects: 365, bytes: 31000000, complete: true, rows: 336776}, tables: [], last_run: {dag_id: flights_daily}}
"""

import functools
import typing as t
from pathlib import Path

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _aws, _pki
from ansible_collections.dataplatform.aws.plugins.module_utils._pipelines import _run

SERVICES = ("acm-pca", "s3", "glue", "sns", "sqs", "iam", "ec2")


def tell(path: str | None, line: str) -> None:
    """Append a line for whoever follows the run."""
    if path:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(line + "\n")


def verify(module: t.Any) -> dict[str, t.Any]:
    """Gather what the checks need, make them, and return the module's result."""
    given = module.params
    inputs = _run.Inputs(
        clients={service: module.client(service) for service in SERVICES},
        platform=given["platform"],
        access=given["access"],
        ca_path=given["ca_path"] or None,
        tell=functools.partial(tell, given["progress_path"]),
        dag_id=given["dag_id"],
        conf=given["conf"],
        data=Path(given["data_directory"]) if given["data_directory"] else None,
        landing_prefix=given["landing_prefix"],
        expected=given["expected"],
        probe_dag=given["probe_dag"],
        seconds=given["run_timeout"],
        visible_seconds=given["visible_timeout"],
        alert_seconds=given["alert_timeout"],
    )
    found = _run.run(inputs)
    failed = [check.name for check in found.checks.done if check.status == "failed"]
    return {"changed": False, "checks": found.checks.as_dicts(), "failed_checks": failed, "lake": found.lake}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "platform": {"type": "dict", "required": True},
            "access": {"type": "dict", "required": True},
            "dag_id": {"type": "str", "default": "flights_daily"},
            "conf": {"type": "dict", "default": {}},
            "data_directory": {"type": "path"},
            "landing_prefix": {"type": "str", "default": "landing/flights/"},
            "expected": {"type": "dict", "default": {}},
            "probe_dag": {"type": "bool", "default": True},
            "run_timeout": {"type": "int", "default": 1800},
            "visible_timeout": {"type": "int", "default": 60},
            "alert_timeout": {"type": "int", "default": 150},
            "progress_path": {"type": "path"},
            "ca_path": {"type": "path"},
        },
        supports_check_mode=False,
    )
    try:
        module.exit_json(**verify(module))
    except (_aws.AwsError, _pki.PkiError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
