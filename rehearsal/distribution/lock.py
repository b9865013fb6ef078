"""Locked artifacts: a file with the SHA-256 of each, in the format of sha256sum."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rehearsal.distribution import archive
from rehearsal.errors import RehearsalError


class DistributionError(RehearsalError):
    """A distribution cannot be made; the text names what is wrong and the fix."""


def fetched(parts: Path) -> list[Path]:
    """The files below the folders that Maven filled."""
    return sorted(parts.glob("*/files/*"), key=lambda path: (path.name, path.parent.parent.name))


def check(lock: Path, files: Sequence[Path], repository: Path, module: str) -> None:
    """Refuse artifacts that are not the locked ones. `module` writes the lock anew with `--lock`."""
    lines = (line.split("  ", 1) for line in lock.read_text().splitlines())
    locked = {name: digest for digest, name in lines}
    wrong = {path.name for path in files if archive.sha256(path) != locked.get(path.name)}
    wrong |= locked.keys() - {path.name for path in files}
    if wrong:
        raise DistributionError(
            f"{lock}: the artifacts Maven brought are not the locked ones: {', '.join(sorted(wrong)[:5])}. Delete "
            f"{repository} and try again; if the change is meant, look at it and run python -m {module} --lock"
        )


def write(lock: Path, files: Sequence[Path]) -> None:
    """Write the lock from what Maven brought."""
    lines = {path.name: f"{archive.sha256(path)}  {path.name}" for path in files}
    lock.write_text("\n".join(lines[name] for name in sorted(lines)) + "\n")
