"""A real Spark with Iceberg in this process: the one that runs a rehearsal's jobs, built below .cache once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rehearsal.distribution import spark as distribution

ROOT = Path(__file__).resolve().parents[3]
JOBS = ROOT / "pipelines" / "jobs"
# With its first compiler only, Java keeps 48 MB of code, less than Spark has: it would be dropped and made again.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=128m"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session whose catalog `glue` is a folder."""
    folder = tmp_path_factory.mktemp("spark")
    made = distribution.build(ROOT / ".cache")
    sys.path[:0] = [str(made.home.parent), *map(str, (made.home / "python" / "lib").glob("py4j-*.zip"))]
    from pyspark.sql import SparkSession

    catalog = "spark.sql.catalog.glue"
    session = (
        SparkSession.builder.master("local[2]")
        .appName("tests")
        .config("spark.jars", str(made.iceberg / distribution.ICEBERG_NAME))
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
        .config(f"{catalog}.type", "hadoop")
        .config(f"{catalog}.warehouse", str(folder / "warehouse"))
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.memory", "1g")
        # Little data, and plans that run once: writing and compiling code for each costs more than it saves.
        .config("spark.sql.codegen.wholeStage", "false")
        .config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
        .config("spark.sql.adaptive.enabled", "false")
        .config("spark.driver.extraJavaOptions", JAVA_OPTIONS)
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
