"""Look for secrets where none may be, at the services' sandboxes, and at what they take. Prints the memory.

Runs as root on the host, with the account's address in its environment.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3

UNITS = ("api-server", "scheduler", "dag-processor", "triggerer")
FOLDERS = ("/etc/airflow", "/etc/systemd", "/opt/airflow", "/var/log", "/var/lib/airflow", "/run/systemd", "/tmp")  # noqa: S108
PROGRAMS = "/opt/airflow/venv-"


def secrets() -> list[bytes]:
    """Every value that only Secrets Manager and running processes may hold."""
    client = boto3.client("secretsmanager")

    def value(name: str) -> str:
        return client.get_secret_value(SecretId=f"dataplatform/dev/airflow/config/{name}")["SecretString"]

    password = urlsplit(value("sql_alchemy_conn")).password or ""
    found = [password, *(value(name) for name in ("fernet_key", "jwt_secret", "api_secret_key")), "molecule-master"]
    assert all(len(one) > 10 for one in found)
    return [one.encode() for one in found]


def places() -> Iterator[tuple[str, bytes]]:
    """Files below the folders (but the installed packages) and every process's arguments, with their content."""
    files = (path for folder in FOLDERS for path in Path(folder).rglob("*") if not str(path).startswith(PROGRAMS))
    kept = (path for path in files if path.is_file() and not path.is_symlink())
    for path in itertools.chain(kept, Path("/proc").glob("[0-9]*/cmdline")):
        try:
            yield str(path), path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # gone meanwhile
            continue


def about(unit: str, name: str) -> Iterator[tuple[str, str]]:
    """Number and content of `/proc/NUMBER/name` of each of the unit's processes. Those that ended are left out."""
    group = Path(f"/sys/fs/cgroup/system.slice/airflow-{unit}.service/cgroup.procs")
    for pid in group.read_text().split():
        try:
            yield pid, Path(f"/proc/{pid}/{name}").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue


def sandbox(unit: str) -> None:
    """No capability, no way to more rights, nothing of its own program or settings to be written."""
    for pid, status in about(unit, "status"):
        lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert int(lines["CapEff"], 16) == 0, (unit, lines["CapEff"])
        assert lines["NoNewPrivs"] == "1", unit
        enter = ["nsenter", "--target", pid, "--mount", "setpriv", "--reuid=airflow", "--clear-groups"]
        for path in ("/opt/airflow/venv/.complete", "/etc/airflow/access.json"):
            assert subprocess.run([*enter, "touch", path], capture_output=True, check=False).returncode, (unit, path)


def memory(unit: str) -> int:
    """Proportional set size of the unit's processes in MB: shared pages count once."""
    lines = [line for pid, shares in about(unit, "smaps_rollup") for line in shares.splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024


def main() -> None:
    """All of it."""
    values = secrets()
    leaks = [(place, number) for place, content in places() for number, value in enumerate(values) if value in content]
    assert not leaks, leaks
    for unit in UNITS:
        sandbox(unit)
    taken = {unit: memory(unit) for unit in UNITS}
    print(", ".join(f"{unit} {size} MB" for unit, size in taken.items()), "together", sum(taken.values()), "MB")
    assert os.geteuid() == 0


main()
