"""What EMR's release labels carry: a rehearsal runs a label's own versions, so that the two differ in nothing else.

Source: https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-spark800-release.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """A release label's versions; those of Python are minor versions, the first is what the rehearsal has.

    `hadoop` is what that Spark was built with, `sdk` the AWS SDK in that Iceberg's bundle: S3A runs on both.
    """

    label: str
    spark: str
    scala: str
    iceberg: str
    python: tuple[str, ...]
    hadoop: str
    sdk: str

    @property
    def spark_minor(self) -> str:
        """As Iceberg's artifacts name it."""
        return ".".join(self.spark.split(".")[:2])

    @property
    def scala_minor(self) -> str:
        """As Scala artifacts name it."""
        return ".".join(self.scala.split(".")[:2])


RELEASE = Release(
    label="emr-spark-8.0.0",
    spark="4.0.2",
    scala="2.13.16",
    iceberg="1.10.1",
    python=("3.13", "3.12", "3.11"),
    hadoop="3.4.1",
    sdk="2.33.0",
)
"""The one label that a rehearsal runs."""
