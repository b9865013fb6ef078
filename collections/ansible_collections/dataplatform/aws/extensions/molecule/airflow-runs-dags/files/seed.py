"""Fill the emulated account with what the airflow role reads, and add that to the platform document.

Usage: seed.py PLATFORM_JSON, with AWS_ENDPOINT_URL and credentials in the environment.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import boto3

DAGS = Path(__file__).parent / "dags"
BUCKETS = {name: f"dataplatform-dev-{name}-molecule" for name in ("artifacts", "dags", "logs")}


def main() -> None:
    """Write the document in place."""
    path = Path(sys.argv[1])
    s3, secrets = boto3.client("s3"), boto3.client("secretsmanager")
    for bucket in BUCKETS.values():
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": s3.meta.region_name})
    for dag in DAGS.glob("*.py"):
        s3.upload_file(str(dag), BUCKETS["dags"], f"dags/{dag.name}")
    login = json.dumps({"username": "master", "password": "molecule-master"})
    master = secrets.create_secret(Name="rds!molecule", SecretString=login)["ARN"]
    document = json.loads(path.read_text())
    document["buckets"] |= BUCKETS
    document["urls"] = {"airflow": "https://airflow.dev.molecule.test/"}
    document["airflow"] = {
        "api_port": 8080,
        "dags_prefix": "dags",
        "secrets_prefix": "dataplatform/dev/airflow",
        "log_group": "/dataplatform/dev/airflow",
        "database": {
            "endpoint": "database.molecule.internal",
            "port": 5432,
            "name": "airflow",
            "master_secret_arn": master,
        },
    }
    path.write_text(json.dumps(document))


if __name__ == "__main__":
    main()
