"""One job run: a podman container of the hosts' image in which spark-submit runs, and that goes when it has ended."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.distribution import spark
from rehearsal.hosts import image
from rehearsal.hosts.podman import Podman
from rehearsal.jobs import class_archive, command
from rehearsal.jobs.model import PREFIX, Job
from rehearsal.processes import write_text

LABEL = "rehearsal.job"


@dataclass(frozen=True)
class State:
    """A container as podman knows it; `code` is the exit code of one that has ended."""

    pid: int | None
    code: int | None


class Containers:
    """The job runs' containers. `folder` keeps a folder with settings for each."""

    def __init__(self, podman: Podman, folder: Path) -> None:
        self._podman = podman
        self._folder = folder

    def all(self) -> dict[str, State]:
        """Job run id → container. One that was made and never started counts for nothing: it is made anew."""
        found = {}
        for item in self._podman.json("ps", "--all", "--filter", f"label={LABEL}", "--format", "json") or []:
            if item.get("State") in ("created", "configured"):
                continue
            running, ended = item.get("State") == "running", item.get("State") in ("exited", "stopped")
            code = int(item.get("ExitCode", 0)) if ended else None
            found[item["Labels"][LABEL]] = State(int(item["Pid"]) if running else None, code)
        return found

    def start(self, job: Job, made: spark.Spark, api: str, credentials: Mapping[str, str]) -> None:
        """Start a job run's container."""
        folder = self._folder / job.job_run_id
        archive = class_archive.use(made, folder)
        write_text(folder / "conf" / command.PROPERTIES, command.properties(job, api, archive.options), 0o644)
        (folder / "conf" / command.NOTHING).mkdir(exist_ok=True)
        variables = command.environment(job, api, credentials)
        # in a file, since arguments are for everybody to read
        write_text(folder / "environment", "".join(f"{name}={value}\n" for name, value in variables.items()))
        self._podman("rm", "--force", "--time", "0", "--ignore", job.container)
        self._podman(
            "create",
            *("--name", job.container, "--hostname", job.job_run_id, "--label", f"{LABEL}={job.job_run_id}"),
            # EMR's workers reach AWS's services; here those listen on the machine
            *("--network", "host", "--add-host", f"{job.job_run_id}:127.0.0.1", "--systemd", "false"),
            *("--user", "admin", "--workdir", "/tmp"),  # noqa: S108
            *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
            *("--log-driver", "k8s-file", "--env-file", str(folder / "environment")),
            *("--volume", f"{made.home}:{command.HOME}:ro", "--volume", f"{made.iceberg}:{command.ICEBERG}:ro"),
            *("--volume", f"{folder / 'conf'}:{command.CONFIGURATION}:ro", "--volume", archive.volume),
            image.name(),
            *command.submit(job),
        )
        (folder / "environment").unlink()
        self._podman("start", job.container)

    def keep_classes(self, job_run_id: str, made: spark.Spark) -> None:
        """Have later job runs start from the classes of this one, which succeeded."""
        class_archive.keep(made, self._folder / job_run_id)

    def stop(self, job_run_id: str) -> None:
        """End a job run's process."""
        self._podman("stop", "--time", "5", PREFIX + job_run_id, check=False, timeout=30)

    def remove(self, job_run_id: str) -> None:
        """End a job run at once and take its container away; no matter if it is gone."""
        self._podman("rm", "--force", "--volumes", "--time", "0", "--ignore", PREFIX + job_run_id)
        shutil.rmtree(self._folder / job_run_id, ignore_errors=True)

    def upload_logs(self, job: Job, s3: Any) -> None:
        """Put what the driver printed where EMR Serverless puts it, compressed."""
        if not job.log_uri:
            return
        bucket, keys = command.log_keys(job)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            files = self._logs(job.job_run_id, Path(folder))
            for stream, path in files.items():
                with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb", 6) as packed:
                    shutil.copyfileobj(plain, packed)
                s3.upload_file(f"{path}.gz", bucket, keys[stream])

    def last_words(self, job_run_id: str) -> str:
        """The end of what the driver said of its failure: Python's own words come on Spark's standard output."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            logs = self._logs(job_run_id, Path(folder))
            lines = [line for stream in ("stderr", "stdout") for line in _lines(logs[stream])]
        telling = [line for line in lines if "Error" in line or "Exception" in line]
        return " ".join((telling or lines)[-3:])[:1000]

    def _logs(self, job_run_id: str, folder: Path) -> dict[str, Path]:
        files = {stream: folder / stream for stream in ("stdout", "stderr")}
        with files["stdout"].open("wb") as out, files["stderr"].open("wb") as errors:
            subprocess.run(
                self._podman.command(["podman", "logs", PREFIX + job_run_id]),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env={**os.environ, **self._podman.environment()},
                timeout=120,
                check=False,
            )
        return files


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
