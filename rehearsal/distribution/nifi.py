"""A NiFi 2.3.0 distribution, assembled from the artifacts NiFi publishes for Maven.

No package registry carries NiFi's binary archive. Its parts are published, all but a few (the bootstrap program,
`nifi-standard-nar`, `nifi-update-attribute-nar`): this module lays the parts out as the official archive does, makes
the two NARs from the processors' own artifacts, and adds a `bin/nifi.sh` and configuration files of its own.
Whoever installs the archive does not see the difference; `docs/README` inside it says what it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.distribution import archive, lock, maven
from rehearsal.distribution.maven import Artifact, Folder

VERSION = "2.3.0"
GROUP = "org.apache.nifi"
ROOT = f"nifi-{VERSION}"
HERE = Path(__file__).parent
FILES = HERE / "files"
LOCK = HERE / "artifacts.sha256"
"""SHA-256 of every artifact that goes into the archive, in the format of sha256sum."""

CODE = ("archive.py", "lock.py", "maven.py", "nifi.py")
"""What of this folder makes the archive."""

LIBRARIES = [
    "nifi-runtime",
    "nifi-api",
    "nifi-framework-api",
    "nifi-server-api",
    "nifi-stateless-api",
    "nifi-python-framework-api",
    "nifi-nar-utils",
    "nifi-property-utils",
    "nifi-properties",
]
NARS = [
    "nifi-framework-nar",
    "nifi-jetty-nar",
    "nifi-server-nar",
    "nifi-provenance-repository-nar",
    "nifi-standard-services-api-nar",
    "nifi-standard-shared-nar",
    "nifi-record-serialization-services-nar",
    "nifi-ssl-context-service-nar",
    "nifi-py4j-nar",
    "nifi-http-context-map-nar",
]
PYTHON = ["nifi-python-framework", "nifi-python-extension-api"]
LOGGING = [
    *(
        Artifact("org.slf4j", name, "2.0.17")
        for name in ["slf4j-api", "jcl-over-slf4j", "jul-to-slf4j", "log4j-over-slf4j"]
    ),
    *(Artifact("ch.qos.logback", name, "1.5.17") for name in ("logback-classic", "logback-core")),
]
MADE = {"nifi-standard-nar": "nifi-standard-processors", "nifi-update-attribute-nar": "nifi-update-attribute-processor"}
"""NARs that are not published → the published artifact they are made from."""

PARENT = "nifi-standard-shared-nar"
PARENTS = (PARENT, "nifi-standard-services-api-nar")
"""The NARs whose classes the made ones see; a jar there must not come a second time."""

FOLDERS = [
    Folder(
        "lib",
        alone=[
            *(Artifact(GROUP, name, VERSION) for name in LIBRARIES),
            *(Artifact(GROUP, name, VERSION, "nar") for name in NARS),
            *LOGGING,
        ],
    ),
    Folder("python", alone=[Artifact(GROUP, name, VERSION) for name in PYTHON]),
    *(Folder(nar, complete=[Artifact(GROUP, source, VERSION)]) for nar, source in MADE.items()),
]


@dataclass(frozen=True)
class Archive:
    """The archive's path and its SHA-256 in lower-case hex."""

    path: Path
    sha256: str


def build(cache: Path, progress: Callable[[str], None] = print) -> Archive:
    """The archive `nifi-2.3.0-bin.zip`, made below `cache` unless the same content is there already.

    `cache` is the checkout's .cache folder: the archive lands in nifi/, Maven's repository in maven/.
    Raises lock.DistributionError or maven.MavenError.
    """
    folder = cache / "nifi" / _content_key()[:16]
    path = folder / f"{ROOT}-bin.zip"
    digest = folder / f"{ROOT}-bin.zip.sha256"
    (cache / "nifi").mkdir(parents=True, exist_ok=True)
    with _exclusive(cache / "nifi" / "lock"):
        if path.exists() and digest.exists():
            return Archive(path, digest.read_text().split()[0])
        progress(f"assembling NiFi {VERSION} from its Maven artifacts (once)")
        parts = cache / "nifi" / "parts"
        maven.fetch(FOLDERS, parts, cache / "maven", progress)
        lock.check(LOCK, lock.fetched(parts), cache / "maven", "rehearsal.distribution.nifi")
        for leftover in (child for child in (cache / "nifi").iterdir() if child.is_dir() and child != parts):
            shutil.rmtree(leftover)  # an archive of other content
        folder.mkdir()
        made = path.with_suffix(".part")
        _assemble(parts, made)
        checksum = archive.sha256(made)
        made.replace(path)
        digest.write_text(f"{checksum}  {path.name}\n")
        shutil.rmtree(parts)
        progress(f"{path.name}: {path.stat().st_size // 1_000_000} MB, sha256 {checksum[:16]}…")
    return Archive(path, checksum)


def _content_key() -> str:
    """Hash over everything the archive is made from: the locked artifacts, our files, this code."""
    digest = hashlib.sha256()
    sources = [LOCK, *(HERE / name for name in CODE), *(path for path in FILES.rglob("*") if path.is_file())]
    for source in sorted(sources):
        digest.update(source.relative_to(HERE).as_posix().encode() + b"\0")
        digest.update(source.read_bytes() + b"\0")
    return digest.hexdigest()


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """One builder at a time: two would empty each other's folders."""
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _assemble(parts: Path, target: Path) -> None:
    """Lay `parts` and our files out like the official archive and zip them to `target`."""
    with archive.Zip(target) as made:
        for name in ("", "bin", "conf", "docs", "extensions", "lib", "python", "python/extensions"):
            made.folder(f"{ROOT}/{name}")
        for path in sorted(FILES.rglob("*")):
            if path.is_file():
                mode = 0o755 if path.suffix == ".sh" else 0o644
                made.file(f"{ROOT}/{path.relative_to(FILES).as_posix()}", path.read_bytes(), mode)
        libraries = sorted((parts / "lib" / "files").iterdir())
        for path in libraries:
            made.file(f"{ROOT}/lib/{path.name}", path.read_bytes())
        for name in MADE:
            made.file(f"{ROOT}/lib/{name}-{VERSION}.nar", _made_nar(parts, name))
        python = parts / "python" / "files"
        for name, content in archive.unpack(python / f"{PYTHON[0]}-{VERSION}.jar", "framework/").items():
            made.file(f"{ROOT}/python/framework/{name}", content)
        for name, content in archive.unpack(python / f"{PYTHON[1]}-{VERSION}.jar", "nifiapi/").items():
            made.file(f"{ROOT}/python/api/nifiapi/{name}", content)


def _made_nar(parts: Path, name: str) -> bytes:
    """A NAR the registries lack, without the jars its parents or lib/ bring."""
    libraries = parts / "lib" / "files"
    brought = {archive.artifact_name(path.name) for path in libraries.glob("*.jar")}
    for parent in PARENTS:
        brought |= archive.bundled(libraries / f"{parent}-{VERSION}.nar")
    jars = [path for path in (parts / name / "files").iterdir() if archive.artifact_name(path.name) not in brought]
    identity = {
        "Nar-Id": name,
        "Nar-Group": GROUP,
        "Nar-Version": VERSION,
        "Nar-Dependency-Group": GROUP,
        "Nar-Dependency-Id": PARENT,
        "Nar-Dependency-Version": VERSION,
        "Clone-During-Instance-Class-Loading": "false",
    }
    return archive.nar(identity, jars)


def main() -> int:
    """Build the archive below .cache, or (`--lock`) write artifacts.sha256 anew from what Maven brings."""
    cache = HERE.parents[1] / ".cache"
    if sys.argv[1:] == ["--lock"]:
        os.makedirs(cache / "nifi", exist_ok=True)
        with _exclusive(cache / "nifi" / "lock"):
            maven.fetch(FOLDERS, cache / "nifi" / "parts", cache / "maven", print)
            lock.write(LOCK, lock.fetched(cache / "nifi" / "parts"))
        return 0
    made = build(cache)
    print(made.path, made.sha256)
    return 0


if __name__ == "__main__":
    sys.exit(main())
