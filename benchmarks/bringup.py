"""From nothing to verified, data in gold included: warm, or cold with COLD=1, which empties the cache first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Any

from benchmarks.measure import ROOT, MemoryWatch, Result, pace, runner, seconds

WARM_MINUTES, COLD_MINUTES, PEAK_GIB, VISIBLE_SECONDS = 7, 18, 9, 30
# What a new machine lacks; Debian packages and the Python environment stay.
BUILT = ("podman", "nifi", "nifi-build", "airflow", "spark", "maven", "rehearsal", "terraform-plugins")


def run() -> list[Result]:
    subprocess.run([sys.executable, "-m", "rehearsal", "destroy"], cwd=ROOT, check=True)
    cold = os.environ.get("COLD") == "1"
    if cold:
        for name in BUILT:
            shutil.rmtree(ROOT / ".cache" / name, ignore_errors=True)
    machine = pace()
    with MemoryWatch() as memory:
        taken = seconds(runner("--yes"))
    record = json.loads((ROOT / ".cache" / "runs" / "dev" / "latest" / "record.json").read_text())
    parts = ", ".join(f"{stage['name']} {stage['seconds']:.0f} s" for stage in record["stages"])
    parts += f"; ten million additions in Python took {machine:.2f} s"
    kind, goal = ("cold", COLD_MINUTES) if cold else ("warm", WARM_MINUTES)
    return [
        Result(f"{kind}: nothing → verified", taken / 60, goal, "min", parts),
        Result("peak memory of a DEV rehearsal", memory.peak / 1024, PEAK_GIB, "GiB"),
        visible(record["checks"]),
    ]


def visible(checks: list[dict[str, Any]]) -> Result:
    """How soon an uploaded DAG was visible to the verification, which looks once a second."""
    (check,) = (check for check in checks if check["name"] == "pipeline:dag-visible")
    return Result("DAG uploaded → visible", check["seconds"], VISIBLE_SECONDS, "s", check["status"])
