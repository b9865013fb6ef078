"""The archive of classes that drivers start from: the first job run that succeeds writes it, later ones read it.

A driver loads some 25,000 classes. Those in an archive need neither be unpacked nor verified again, which saves a
quarter of a short job. The JVM ignores an archive that does not fit its version or class path.
Source: https://docs.oracle.com/en/java/javase/21/vm/class-data-sharing.html
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from rehearsal.distribution.spark import Spark
from rehearsal.hosts import image

FOLDER = "/run/classes"
"""Its place in a job run's container."""
NAME = "spark.jsa"
# What the JVM says of classes that an archive cannot hold is not the job's output.
QUIET = "-Xlog:disable -Xlog:all=warning:stderr"


@dataclass(frozen=True)
class Classes:
    """What one job run has to do with the archive: `options` for its JVM and `volume` for podman."""

    options: str
    volume: str


def path(made: Spark) -> Path:
    """The archive's place beside Spark. It fits one Spark and, since Java is the image's, one image."""
    return made.home.parent / f"classes-{image.name().rpartition(':')[2]}.jsa"


def use(made: Spark, folder: Path) -> Classes:
    """Read the archive, or have it written below the job run's `folder`."""
    known = path(made)
    if known.exists():
        return Classes(f"-XX:SharedArchiveFile={FOLDER}/{NAME} {QUIET}", f"{known}:{FOLDER}/{NAME}:ro")
    new = folder / "classes"
    new.mkdir(parents=True, exist_ok=True)
    new.chmod(0o777)  # the container's user is not this one
    return Classes(f"-XX:ArchiveClassesAtExit={FOLDER}/{NAME} {QUIET}", f"{new}:{FOLDER}")


def keep(made: Spark, folder: Path) -> None:
    """Take over what a job run has written that succeeded; no matter if it wrote nothing."""
    written = folder / "classes" / NAME
    if not written.is_file() or written.is_symlink():
        return
    kept = path(made)
    # beside it first, as it may come from another file system
    shutil.move(written, f"{kept}.new")
    os.replace(f"{kept}.new", kept)
    for other in set(kept.parent.glob("classes-*.jsa")) - {kept}:
        other.unlink()  # of an older image
