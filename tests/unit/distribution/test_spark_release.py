"""Terraform's release label and the rehearsal's Spark are the same versions, or a test says so."""

from __future__ import annotations

import re
from pathlib import Path

from rehearsal.distribution import spark
from rehearsal.distribution.release import RELEASE
from rehearsal.hosts import image

LABEL = re.compile(r"emr-(?:spark-)?\d+\.\d+\.\d+")


def labels(folder: Path) -> set[str]:
    """Every release label that Terraform or an inventory names."""
    files = [path for kind in ("tf", "tfvars", "hcl", "example", "yml") for path in folder.rglob(f"*.{kind}")]
    return {label for path in files if ".terraform" not in path.parts for label in LABEL.findall(path.read_text())}


def test_terraform_asks_for_the_label_that_a_rehearsal_runs(project: Path) -> None:
    found = labels(project / "terraform") | labels(project / "inventories")
    expected = {RELEASE.label} if (project / "terraform" / "modules" / "processing").exists() else set()
    assert found == expected


def test_another_label_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('release_label = "emr-7.10.0"\n')
    assert labels(tmp_path) == {"emr-7.10.0"}


def test_spark_is_the_labels() -> None:
    pinned = re.search(r"^pyspark==(\S+) --hash=sha256:[0-9a-f]{64}$", spark.REQUIREMENTS.read_text(), re.MULTILINE)
    assert pinned
    assert pinned[1] == RELEASE.spark


def test_iceberg_is_the_labels_for_its_spark_and_scala() -> None:
    names = {line.split("  ")[1] for line in spark.LOCK.read_text().splitlines()}
    assert names == {
        f"iceberg-spark-runtime-4.0_2.13-{RELEASE.iceberg}.jar",
        f"iceberg-aws-bundle-{RELEASE.iceberg}.jar",
        f"hadoop-aws-{RELEASE.hadoop}.jar",
        f"s3-transfer-manager-{RELEASE.sdk}.jar",
    }
    assert (RELEASE.spark_minor, RELEASE.scala_minor) == ("4.0", "2.13")


def test_python_is_one_of_the_labels() -> None:
    """Debian 13 has Python 3.13: https://www.debian.org/releases/trixie/release-notes/whats-new.en.html"""
    assert image.SUITE == "trixie"
    assert "3.13" in RELEASE.python
