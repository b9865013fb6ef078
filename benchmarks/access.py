"""Access reconciliation of 1,000 users on the rehearsal's own NiFi host, where the automation certificate is."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping

from benchmarks.measure import ROOT, Result, runner
from benchmarks.noop import environment

USERS, GOAL = 1000, 0.05
FOLDER = "/run/dataplatform-benchmark"
UTILS = "collections/ansible_collections/dataplatform/aws/plugins/module_utils"
IDENTITY = "/etc/dataplatform/automation"


def run() -> list[Result]:
    status = json.loads(subprocess.run(runner("status", "--json"), cwd=ROOT, capture_output=True, check=True).stdout)
    address, env = status["nifi"]["nodes"][0]["private_ip"], environment()
    _ssh(env, address, f"rm -rf {FOLDER} && mkdir -m 0700 {FOLDER} && tar -x -C {FOLDER}", _parts())
    try:
        output = _ssh(
            env,
            address,
            f"cd {FOLDER} && python3 -m benchmarks.access_reconciliation --users {USERS} "
            f"--cert {IDENTITY}/certificate.pem --key {IDENTITY}/key.pem --ca /etc/dataplatform/services-ca.pem",
        )
    finally:
        _ssh(env, address, f"rm -rf {FOLDER}")
    measured = json.loads(output.splitlines()[-1])  # the lines before it show progress
    return [
        Result(
            f"access of {USERS} users, {step}: at once / one call after another",
            ratio,
            GOAL,
            "x",
            f"{measured['together'][step]:.1f} s / {measured['one_after_another'][step]:.1f} s",
        )
        for step, ratio in measured["ratios"].items()
    ]


def _parts() -> bytes:
    """The benchmark and the collection's code, as a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("benchmarks/__init__.py", "benchmarks/access_reconciliation.py", UTILS):
            archive.add(ROOT / name, name)
    return buffer.getvalue()


def _ssh(env: Mapping[str, str], address: str, command: str, stdin: bytes = b"") -> str:
    """Run a shell line as root on a host."""
    options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    login = ["-i", env["DATAPLATFORM_SSH_KEY"], f"{env['DATAPLATFORM_SSH_USER']}@{address}"]
    done = subprocess.run(["ssh", *options, *login, f"sudo sh -c '{command}'"], input=stdin, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"ssh {address}: exit {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout.decode()
