"""Applies the mends of dispatching and of all services, once per process.

Importing each module is what replaces the parts of moto.
"""

from __future__ import annotations

from importlib import import_module

PARTS = (
    "dispatch",
    "iam",
    "ssm",
    "s3",
    "ec2",
    "vpc",
    "security_groups",
    "acmpca",
    "trust_stores",
    "elbv2",
    "autoscaling",
    "rds",
    "emr_serverless",
    "sqs",
)


def apply() -> None:
    """Import the mends of every part. Applying them again does nothing."""
    for part in PARTS:
        import_module(f"rehearsal.aws.{part}")
