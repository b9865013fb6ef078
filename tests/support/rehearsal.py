"""Drives the product as a person does: `runner.py` in a subprocess, and the emulated account by boto3."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from driver.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_VERIFICATION = tuple(name for name in STAGES if name != "verification")
"""The stages of a run that change something."""
RUN_TIMEOUT = 2700  # seconds: a first run on a busy machine, with nothing cached


class Failure(AssertionError):
    """A run ended with another code than expected; carries the end of what it printed."""


def wait_for(condition: Callable[[], Any], timeout: float, what: str, every: float = 0.5) -> Any:
    """The first true value of ``condition``, asked ``every`` so many seconds."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {timeout:.0f} s")
        time.sleep(every)


def only(*stages: str) -> list[str]:
    """Arguments that choose some stages of a run."""
    return [word for stage in stages for word in ("--only", stage)]


class Rehearsal:
    """One environment of a rehearsal."""

    def __init__(self, env: str = "dev") -> None:
        self.env = env
        self.runs = ROOT / ".cache" / "runs" / env

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "runner.py"), "--env", self.env, "--rehearse", *arguments]

    def run(self, *arguments: str, expect: int | None = 0, timeout: float = RUN_TIMEOUT) -> subprocess.CompletedProcess:
        """Run to the end; the code must be ``expect`` (None: any)."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if expect is not None and done.returncode != expect:
            tail = "\n".join(done.stdout.splitlines()[-60:])
            raise Failure(f"{' '.join(arguments) or 'apply'}: exit {done.returncode}, expected {expect}\n{tail}")
        return done

    def run_until_killed(self, stage: str, after: float = 0.0) -> None:
        """Start an apply and end it with SIGKILL once ``stage`` has begun (and ``after`` seconds have gone by)."""
        heartbeat = self.runs / "current.json"
        process = subprocess.Popen(
            self.command("--yes"), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

        def reached() -> bool:
            if process.poll() is not None:
                tail = process.stdout.read().decode()[-4000:] if process.stdout else ""
                raise Failure(f"the run ended (code {process.returncode}) before stage {stage}\n{tail}")
            try:
                current = json.loads(heartbeat.read_text())
            except (OSError, ValueError):
                return False
            return current.get("pid") == process.pid and current.get("stage") == stage

        # what it prints must not fill the pipe while nobody reads
        os.set_blocking(process.stdout.fileno(), False)  # type: ignore[union-attr]

        def drained() -> bool:
            if process.stdout:
                process.stdout.read()
            return reached()

        try:
            wait_for(drained, RUN_TIMEOUT, f"stage {stage}", every=0.02)
            if after:
                ends = time.monotonic() + after
                wait_for(lambda: time.monotonic() > ends or process.poll() is not None, after + 5, "the moment to kill")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            if process.stdout:
                process.stdout.close()

    def status(self) -> dict[str, Any]:
        return json.loads(self.run("status", "--json").stdout)

    def nodes(self, role: str) -> list[dict[str, Any]]:
        """The running hosts of a role, by EC2: `status` knows more, and takes longer."""
        wanted = {"tag:Environment": self.env, "tag:Role": role, "instance-state-name": "running"}
        filters = [{"Name": name, "Values": [value]} for name, value in wanted.items()]
        found = self.client("ec2").describe_instances(Filters=filters)["Reservations"]
        instances = [instance for reservation in found for instance in reservation["Instances"]]
        return [{"instance_id": i["InstanceId"], "private_ip": i["PrivateIpAddress"]} for i in instances]

    def is_healthy(self) -> bool:
        """Whether all nodes are there and serve, and every component of Airflow is well."""
        status = self.status()
        nodes = status["nifi"]["nodes"] + status["airflow"]["nodes"]
        components = status["airflow"]["components"].values()
        well = all(component["status"] == "healthy" for component in components)
        return bool(nodes) and bool(components) and well and all(node["state"] == "healthy" for node in nodes)

    def platform(self) -> dict[str, Any]:
        """What Terraform built."""
        found = self.client("ssm").get_parameter(Name=f"/dataplatform/{self.env}/platform")
        return json.loads(found["Parameter"]["Value"])

    def ca_bundle(self) -> Path:
        """The CA of the balancer's certificate."""
        return Path(self.environment()["DATAPLATFORM_CA_BUNDLE"])

    def record(self) -> dict[str, Any]:
        """The record of the last finished run."""
        return json.loads((self.runs / "latest" / "record.json").read_text())

    def verified(self) -> dict[str, Any]:
        """The record of the last finished run that verified the platform."""
        records = (json.loads(path.read_text()) for path in sorted(self.runs.glob("2*/record.json"), reverse=True))
        return next(record for record in records if record["checks"])

    def environment(self) -> dict[str, str]:
        """What `environment` prints, as a mapping over the current one."""
        values = dict(os.environ)
        for line in self.run("environment").stdout.splitlines():
            words = shlex.split(line)
            if len(words) == 2 and words[0] == "export":
                name, _, value = words[1].partition("=")
                values[name] = value
        return values

    def client(self, service: str) -> Any:
        """A boto3 client of the emulated account."""
        env = self.environment()
        return boto3.client(
            service,
            region_name=env["AWS_REGION"],
            endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=env.get("AWS_SESSION_TOKEN"),
        )

    def ssh(self, address: str, command: str, check: bool = True) -> str:
        """Run a shell line on a host, as root."""
        env = self.environment()
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
        login = ["-i", env["DATAPLATFORM_SSH_KEY"], f"{env['DATAPLATFORM_SSH_USER']}@{address}"]
        done = subprocess.run(
            ["ssh", *options, *login, "sudo", "sh", "-c", shlex.quote(command)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        if check and done.returncode != 0:
            raise Failure(f"ssh {address} {command}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout
