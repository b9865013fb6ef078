"""Applies the mends of all services, once per process: importing each module is what replaces the parts of moto."""

from __future__ import annotations

from importlib import import_module

SERVICES = (
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
    """Import every service's mends. Applying them again does nothing."""
    for service in SERVICES:
        import_module(f"rehearsal.aws.{service}")
