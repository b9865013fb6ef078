"""The wheelhouse of Airflow's hosts: one archive with every wheel of the hash-locked requirements.

Hosts in a private network reach no package registry. This downloads, once, the wheels that `requirements/airflow.txt`
locks, for Debian 13's Python 3.13 on x86-64 (other: `--platform`), and lays them in one tar file. The role `airflow`
runs it where the artifacts bucket lacks the archive, on AWS as in a rehearsal, and verifies each wheel against the
lock, so the archive itself needs no checksum.

    python -m tools.airflow_wheelhouse    # prints PATH KEY, the archive and its key in the artifacts bucket
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
LOCK = CHECKOUT / "requirements" / "airflow.txt"
PYTHON = "3.13"
MACHINE = "x86_64"
GLIBC = range(41, 16, -1)
"""Minor versions of the GNU C library 2.x whose wheels run on Debian 13 (2.41), see PEP 600."""


class WheelhouseError(RuntimeError):
    """The archive cannot be made; the text names what is wrong and the fix."""


@dataclass(frozen=True)
class Wheelhouse:
    """The archive's path, the name of the lock it was made from, and its key in the artifacts bucket, where one
    architecture is as good as another: an environment's hosts have the same."""

    path: Path
    lock: str

    @property
    def key(self) -> str:
        return f"airflow/wheels-{self.lock}.tar"


def lock_name(lock: Path = LOCK) -> str:
    """The first 12 digits of the lock's SHA-256: what archive and environments on hosts are named after."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:12]


def build(
    cache: Path, progress: Callable[[str], None] = print, lock: Path = LOCK, machine: str = MACHINE
) -> Wheelhouse:
    """The archive `wheels-<lock name>.tar`, made below `cache`/airflow unless it is there already.

    Archives of other locks stay: an upgrade is rehearsed with two of them. Raises WheelhouseError.
    """
    name = lock_name(lock)
    folder = cache / "airflow"
    made = Wheelhouse(folder / (f"wheels-{name}.tar" if machine == MACHINE else f"wheels-{name}-{machine}.tar"), name)
    folder.mkdir(parents=True, exist_ok=True)
    with _exclusive(folder / "lock"):
        if made.path.exists():
            return made
        progress(f"downloading Airflow's wheels for {lock.name} {name} (once)")
        parts = folder / f"parts-{name}"
        _download(lock, parts, machine)
        _pack(parts, made.path.with_suffix(".part"))
        made.path.with_suffix(".part").replace(made.path)
        shutil.rmtree(parts)
        progress(f"{made.path.name}: {made.path.stat().st_size // 1_000_000} MB")
    return made


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One builder at a time; the others wait and find the archive made."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def platforms(machine: str) -> list[str]:
    """Platform tags of wheels that Debian 13 runs, the newest first (PEP 600 and its older names)."""
    older = ["manylinux2014", "manylinux2010", "manylinux1"]
    return [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"{name}_{machine}" for name in older]


def _download(lock: Path, parts: Path, machine: str) -> None:
    """Fetch every locked wheel. pip refuses one whose hash is not in the lock, and builds nothing."""
    shutil.rmtree(parts, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(parts)]
    command += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", PYTHON]
    command += ["--implementation", "cp", *(part for abi in ("cp313", "abi3", "none") for part in ("--abi", abi))]
    command += [part for name in platforms(machine) for part in ("--platform", name)]
    done = subprocess.run([*command, "--requirement", str(lock)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WheelhouseError(
            f"{lock}: pip could not fetch every wheel (exit {done.returncode}); is the package registry within reach, "
            f"and does each package have a wheel for Python {PYTHON} on {machine}?\n{done.stderr.strip()[-2000:]}"
        )


def _pack(parts: Path, target: Path) -> None:
    """A tar file that is the same bytes whenever it is made. Wheels are compressed already."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(parts.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as stream:
                tar.addfile(entry, stream)


def main() -> int:
    """Build the archive below .cache and print its path and its key in the artifacts bucket."""
    parser = argparse.ArgumentParser(description="Build the wheelhouse of Airflow's hosts.")
    parser.add_argument("--lock", type=Path, default=LOCK, help="hash-locked requirements (default: %(default)s)")
    parser.add_argument("--platform", default=MACHINE, help="the hosts' architecture (default: %(default)s)")
    chosen = parser.parse_args()
    try:
        made = build(CHECKOUT / ".cache", lambda text: print(text, file=sys.stderr), chosen.lock, chosen.platform)
    except WheelhouseError as error:
        print(error, file=sys.stderr)
        return 1
    print(made.path, made.key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
