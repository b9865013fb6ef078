"""Zip files that are the same bytes wherever and whenever they are made."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip entry can carry: entries must not tell when they were made."""

COMPRESSED = (".jar", ".nar", ".war", ".zip", ".gz")
"""Endings of what is compressed already: stored as it is, which is quicker for whoever packs and unpacks."""


class Zip:
    """A zip file with fixed times and permissions. Entries come out in the order they were added."""

    def __init__(self, target: Path | io.BytesIO) -> None:
        self._zip = zipfile.ZipFile(target, "w")

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, *exception: object) -> None:
        self._zip.close()

    def folder(self, name: str) -> None:
        """Add the folder `name` (0755)."""
        entry = zipfile.ZipInfo(name.rstrip("/") + "/", EPOCH)
        entry.external_attr = (0o40755 << 16) | 0x10
        self._zip.writestr(entry, b"")

    def file(self, name: str, content: bytes, mode: int = 0o644) -> None:
        """Add `content` as `name` with the permissions `mode`."""
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.create_system = 3  # Unix, so that permissions count
        entry.external_attr = (0o100000 | mode) << 16
        stored = name.endswith(COMPRESSED)
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        self._zip.writestr(entry, content, compresslevel=None if stored else 6)


def artifact_name(file_name: str) -> str:
    """`nifi-api-2.3.0.jar` → `nifi-api`: the artifact without version and ending."""
    stem = file_name.rsplit(".", 1)[0]
    found = re.match(r"(.+?)-\d", stem)
    return found.group(1) if found else stem


def bundled(nar: Path) -> set[str]:
    """Names (without versions) of the jars a NAR carries."""
    with zipfile.ZipFile(nar) as content:
        names = [Path(name).name for name in content.namelist() if name.endswith(".jar")]
    return {artifact_name(name) for name in names}


def nar(identity: Mapping[str, str], jars: Iterable[Path]) -> bytes:
    """A NAR (NiFi archive) of `jars` with the manifest entries `identity`.

    Format: a jar whose META-INF/bundled-dependencies/ holds the jars, see NiFi's developer guide, "NiFi Archives".
    """
    buffer = io.BytesIO()
    with Zip(buffer) as made:
        lines = ["Manifest-Version: 1.0", *(f"{key}: {value}" for key, value in identity.items()), "", ""]
        made.folder("META-INF")  # NiFi makes no folder that has no entry of its own
        made.file("META-INF/MANIFEST.MF", "\r\n".join(lines).encode())
        made.folder("META-INF/bundled-dependencies")
        for jar in sorted(jars, key=lambda path: path.name):
            made.file(f"META-INF/bundled-dependencies/{jar.name}", jar.read_bytes())
    return buffer.getvalue()


def unpack(jar: Path, prefix: str) -> dict[str, bytes]:
    """Files of `jar` below `prefix`, by their path after it, sorted."""
    with zipfile.ZipFile(jar) as content:
        names = sorted(n for n in content.namelist() if n.startswith(prefix) and not n.endswith("/"))
        return {name.removeprefix(prefix): content.read(name) for name in names}


def sha256(path: Path) -> str:
    """SHA-256 of a file, in lower-case hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
