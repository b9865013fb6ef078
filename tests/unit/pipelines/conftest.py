"""A real Spark with Iceberg in this process, the versions of the EMR release label; built below .cache once."""

from __future__ import annotations

import fcntl
import hashlib
import importlib
import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rehearsal.distribution import maven

ROOT = Path(__file__).resolve().parents[3]
CACHE = ROOT / ".cache"
JOBS = ROOT / "pipelines" / "jobs"
REQUIREMENTS = ROOT / "requirements" / "spark.txt"
ICEBERG = maven.Artifact("org.apache.iceberg", "iceberg-spark-runtime-4.0_2.13", "1.10.1")
ICEBERG_SHA256 = "2192a0881ed0f5773b5a83a8820d2b0b2069beec203028643a1c338551007f09"


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def pyspark_folder() -> Path:
    """Site packages of .cache/spark-venv, which holds exactly what requirements/spark.txt locks."""
    venv = CACHE / "spark-venv"
    marker = venv / f".ready-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    with exclusive("spark-venv.lock"):
        if not marker.exists():
            # uv lies beside pytest: both come from requirements/dev.txt
            uv = str(Path(sys.executable).with_name("uv"))
            environment = {**os.environ, "UV_CACHE_DIR": str(CACHE / "uv"), "UV_PYTHON_DOWNLOADS": "never"}
            for command in (
                [uv, "venv", "-q", "--clear", "--python", sys.executable, str(venv)],
                [
                    uv,
                    "pip",
                    "sync",
                    "-q",
                    "--require-hashes",
                    "--python",
                    str(venv / "bin" / "python"),
                    str(REQUIREMENTS),
                ],
            ):
                subprocess.run(command, check=True, env=environment)
            marker.touch()
    return Path(sysconfig.get_path("purelib", vars={"base": str(venv)}))


def iceberg_jar() -> Path:
    folder = CACHE / "spark-jars"
    jar = folder / f"{ICEBERG.name}-{ICEBERG.version}.jar"
    with exclusive("spark-jars.lock"):
        if not jar.exists():
            parts = CACHE / "spark-parts"
            maven.fetch([maven.Folder("jars", alone=[ICEBERG])], parts, CACHE / "maven", lambda _line: None)
            folder.mkdir(exist_ok=True)
            (parts / "jars" / "files" / jar.name).replace(jar)
    with jar.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == ICEBERG_SHA256, f"{jar} is not the locked one"
    return jar


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session whose catalog `glue` is a folder."""
    folder = tmp_path_factory.mktemp("spark")
    sys.path.insert(0, str(pyspark_folder()))
    from pyspark.sql import SparkSession

    catalog = "spark.sql.catalog.glue"
    session = (
        SparkSession.builder.master("local[2]")
        .appName("tests")
        .config("spark.jars", str(iceberg_jar()))
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
        .config(f"{catalog}.type", "hadoop")
        .config(f"{catalog}.warehouse", str(folder / "warehouse"))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.memory", "1g")
        .config("spark.ui.enabled", "false")
        .config("spark.local.dir", str(folder / "local"))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


class Jobs:
    """The jobs' modules, imported as Spark does: from their own folder."""

    def __init__(self) -> None:
        names = ("lake", "bronze_to_silver", "quality_checks", "silver_to_gold", "maintenance")
        self.modules: dict[str, ModuleType] = {name: importlib.import_module(name) for name in names}

    def __getattr__(self, name: str) -> ModuleType:
        return self.modules[name]


@pytest.fixture(scope="session")
def jobs(spark: Any) -> Jobs:
    sys.path.insert(0, str(JOBS))
    return Jobs()
