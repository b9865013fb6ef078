#!/usr/bin/python
# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: airflow_secrets
short_description: Make and rotate the keys and the database login of an Airflow installation
version_added: 0.2.0
author:
  - Data platform team (!UNKNOWN)
description:
  - Keeps four secrets in AWS Secrets Manager below O(prefix) - C(config/fernet_key), C(config/jwt_secret),
    C(config/api_secret_key) and C(config/sql_alchemy_conn). Airflow reads them by itself, through its secrets backend.
  - Values are made in memory and sent to Secrets Manager. They are never returned, shown or passed on a command line.
  - It makes no database user. Whoever does reads the password from C(config/sql_alchemy_conn).
options:
  prefix:
    description: What the secrets' names begin with.
    type: str
    required: true
  database:
    description: Where the database is.
    type: dict
    required: true
    suboptions:
      host:
        description: Its host name, as it stands in the server's certificate.
        type: str
        required: true
      port:
        description: Its port.
        type: int
        default: 5432
      name:
        description: The database's name.
        type: str
        default: airflow
      user:
        description: User with which Airflow logs in.
        type: str
        default: airflow
      certificates:
        description: Path, on Airflow's hosts, of the PEM file with the CAs that may have signed the server's certificate.
        type: str
        required: true
  rotate:
    description:
      - Secrets to replace although they exist. Running components know the old values until they restart.
      - V(fernet_key) keeps the key before it as a second one, so that what it encrypted can still be read.
    type: list
    elements: str
    choices: [fernet_key, jwt_secret, api_secret_key, sql_alchemy_conn]
    default: []
  kms_key_id:
    description: Key that encrypts new secrets. Secrets Manager's own key when it is not set.
    type: str
  tags:
    description: Tags of new secrets.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: Secrets are not shown. RV(secrets) says which changed and why.
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Airflow's keys and login
  dataplatform.aws.airflow_secrets:
    prefix: dataplatform/dev/airflow
    database:
      host: "{{ platform.airflow.database.endpoint }}"
      certificates: /etc/airflow/database-ca.pem
    kms_key_id: "{{ platform.kms.data_key_arn }}"
    region: eu-central-1
  delegate_to: localhost

- name: Replace the key that signs tokens
  dataplatform.aws.airflow_secrets:
    prefix: dataplatform/dev/airflow
    database:
      host: "{{ platform.airflow.database.endpoint }}"
      certificates: /etc/airflow/database-ca.pem
    rotate: [jwt_secret]
    region: eu-central-1
  delegate_to: localhost
"""

RETURN = r"""
secrets:
  description: Every secret with what happened to it and the id of the version in use. No values.
  returned: success
  type: dict
  sample:
    fernet_key: {state: unchanged, version: 3f7c5b0e-1111-4a2b-9d3e-0a1b2c3d4e5f}
    jwt_secret: {state: rotated, version: 0b1e2d3c-2222-4f5a-8b7c-6d5e4f3a2b1c}
"""

import typing as t

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.dataplatform.aws.plugins.module_utils import _airflow_secrets, _module

DATABASE = {
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "name": {"type": "str", "default": "airflow"},
    "user": {"type": "str", "default": "airflow"},
    "certificates": {"type": "str", "required": True},
}


def main() -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "prefix": {"type": "str", "required": True},
            "database": {"type": "dict", "required": True, "options": DATABASE},
            "rotate": {
                "type": "list",
                "elements": "str",
                "choices": list(_airflow_secrets.NAMES),
                "default": [],
                "no_log": False,
            },
            "kms_key_id": {"type": "str", "no_log": False},
            "tags": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    options = module.params
    found: dict[str, t.Any] = {}
    try:
        found = _airflow_secrets.ensure(
            *_module.clients(module, "secretsmanager"),
            options["prefix"],
            _airflow_secrets.Database(**options["database"]),
            options["rotate"],
            options["kms_key_id"],
            options["tags"],
            module.check_mode,
        )
    except _module.EXPECTED as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=any(one["state"] != "unchanged" for one in found.values()), secrets=found)


if __name__ == "__main__":
    main()
