"""Spark for the rehearsal's jobs: the Python package with its jars, S3 for its files, and Iceberg's runtime beside it.

    python -m rehearsal.distribution.spark [--lock]

EMR reads `s3://` with a file system of its own. Here S3A does, over the AWS SDK that Iceberg's bundle carries: the
SDK's own bundle would be ten times as large. Iceberg's runtime is not on the class path, as on EMR: jobs name it.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rehearsal.distribution import lock, maven
from rehearsal.distribution.lock import DistributionError
from rehearsal.distribution.maven import Artifact, Folder
from rehearsal.distribution.release import RELEASE
from rehearsal.processes import exclusive

HERE = Path(__file__).parent
LOCK = HERE / "spark.sha256"
"""SHA-256 of every jar that comes beside Spark's own, in the format of sha256sum."""
REQUIREMENTS = HERE / "spark.txt"
ICEBERG_NAME = "iceberg-spark3-runtime.jar"
"""What EMR calls it: https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/using-iceberg.html"""
ICEBERG = "org.apache.iceberg"
RUNTIME = Artifact(ICEBERG, f"iceberg-spark-runtime-{RELEASE.spark_minor}_{RELEASE.scala_minor}", RELEASE.iceberg)
FILES = [
    Artifact(ICEBERG, "iceberg-aws-bundle", RELEASE.iceberg),
    Artifact("org.apache.hadoop", "hadoop-aws", RELEASE.hadoop),
    Artifact("software.amazon.awssdk", "s3-transfer-manager", RELEASE.sdk),
]
FOLDERS = [Folder("files", alone=FILES), Folder("iceberg", alone=[RUNTIME])]
PIP_SECONDS = 900


@dataclass(frozen=True)
class Spark:
    """Where Spark lies: `home` is its SPARK_HOME, `iceberg` the folder with Iceberg's runtime."""

    home: Path
    iceberg: Path


def ready(cache: Path) -> Spark | None:
    """Spark below `cache` (the checkout's .cache), None while it is not there."""
    folder = _folder(cache)
    return Spark(folder / "pyspark", folder / "iceberg") if folder.exists() else None


def build(cache: Path, progress: Callable[[str], None] = print) -> Spark:
    """Spark below `cache`, made unless it is there. Raises lock.DistributionError or maven.MavenError."""
    with exclusive(cache / "spark" / "lock"):
        found = ready(cache)
        if found:
            return found
        for left in (one for one in (cache / "spark").iterdir() if one.is_dir()):
            shutil.rmtree(left)  # of other content, or not finished
        progress(f"fetching Spark {RELEASE.spark} with Iceberg {RELEASE.iceberg} (once)")
        new = cache / "spark" / "new"
        _install(new)
        parts = cache / "spark" / "parts"
        maven.fetch(FOLDERS, parts, cache / "maven", progress)
        lock.check(LOCK, lock.fetched(parts), cache / "maven", "rehearsal.distribution.spark")
        for path in sorted((parts / "files" / "files").iterdir()):
            path.replace(new / "pyspark" / "jars" / path.name)
        _name_once(new / "pyspark" / "jars")
        (new / "iceberg").mkdir()
        (runtime,) = (parts / "iceberg" / "files").iterdir()
        runtime.replace(new / "iceberg" / ICEBERG_NAME)
        shutil.rmtree(parts)
        # only now: whoever is killed before leaves nothing that looks whole
        new.replace(_folder(cache))
    made = ready(cache)
    assert made
    return made


def _name_once(jars: Path) -> None:
    """Give slf4j-api-*.jar another name: a jar of that name gets on the class path twice, by itself and as one of
    jars/*, and with a class path that names a jar twice the JVM refuses every archive of classes."""
    (api,) = jars.glob("slf4j-api-*.jar")
    api.rename(jars / f"named-once-{api.name}")


def _folder(cache: Path) -> Path:
    """Its name changes with anything it is made from."""
    digest = hashlib.sha256()
    for source in (LOCK, REQUIREMENTS, Path(__file__)):
        digest.update(source.read_bytes() + b"\0")
    return cache / "spark" / digest.hexdigest()[:16]


def _install(target: Path) -> None:
    """The locked package, by pip with the index that this machine has configured."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]
    command += ["--no-deps", "--require-hashes", "--no-compile", "--target", str(target), "--requirement"]
    done = subprocess.run(
        [*command, str(REQUIREMENTS)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=PIP_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise DistributionError(f"pip could not bring what {REQUIREMENTS} names (exit {done.returncode}):\n{last}")


def main() -> int:
    """Build Spark below .cache, or (`--lock`) write spark.sha256 anew from what Maven brings."""
    cache = HERE.parents[1] / ".cache"
    if sys.argv[1:] == ["--lock"]:
        with exclusive(cache / "spark" / "lock"):
            maven.fetch(FOLDERS, cache / "spark" / "parts", cache / "maven", print)
            lock.write(LOCK, lock.fetched(cache / "spark" / "parts"))
        return 0
    print(build(cache).home)
    return 0


if __name__ == "__main__":
    sys.exit(main())
