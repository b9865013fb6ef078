"""Archives are the same bytes whenever they are made, and hold what NiFi looks for."""

from __future__ import annotations

import io
import zipfile

import pytest

from rehearsal.distribution import archive, lock, nifi
from rehearsal.distribution.maven import Artifact, Folder, MavenError, fetch


def jar(path, **files):
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


def test_the_same_content_is_the_same_bytes(tmp_path):
    made = []
    for number in range(2):
        path = tmp_path / f"{number}.zip"
        with archive.Zip(path) as zipped:
            zipped.folder("nifi/bin")
            zipped.file("nifi/bin/nifi.sh", b"#!/bin/sh\n", 0o755)
        made.append(path.read_bytes())
    assert made[0] == made[1]
    with zipfile.ZipFile(io.BytesIO(made[0])) as zipped:
        assert zipped.getinfo("nifi/bin/nifi.sh").external_attr >> 16 & 0o777 == 0o755
        assert zipped.getinfo("nifi/bin/").is_dir()


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("nifi-api-2.3.0.jar", "nifi-api"),
        ("log4j-over-slf4j-2.0.17.jar", "log4j-over-slf4j"),
        ("jakarta.xml.bind-api-4.0.2.jar", "jakarta.xml.bind-api"),
        ("unversioned.jar", "unversioned"),
    ],
)
def test_artifact_names(file, name):
    assert archive.artifact_name(file) == name


def test_a_made_nar_leaves_out_what_its_parents_bring(tmp_path):
    """A class in both would be two classes to NiFi."""
    parts = tmp_path
    libraries = parts / "lib" / "files"
    libraries.mkdir(parents=True)
    jar(libraries / "nifi-api-2.3.0.jar")
    for parent in nifi.PARENTS:
        jar(libraries / f"{parent}-{nifi.VERSION}.nar", **{"META-INF/bundled-dependencies/shared-1.0.jar": b""})
    own = parts / "nifi-standard-nar" / "files"
    own.mkdir(parents=True)
    for name in ("nifi-api-2.3.0.jar", "shared-1.1.jar", "nifi-standard-processors-2.3.0.jar"):
        jar(own / name)
    with zipfile.ZipFile(io.BytesIO(nifi._made_nar(parts, "nifi-standard-nar"))) as made:
        names = made.namelist()
        manifest = made.read("META-INF/MANIFEST.MF").decode()
    assert [name for name in names if name.endswith(".jar")] == [
        "META-INF/bundled-dependencies/nifi-standard-processors-2.3.0.jar"
    ]
    # NiFi creates no folder that has no entry of its own
    assert names[:1] == ["META-INF/"]
    assert "META-INF/bundled-dependencies/" in names
    assert "Nar-Dependency-Id: nifi-standard-shared-nar\r\n" in manifest


def test_other_artifacts_than_the_locked_ones_are_refused(tmp_path):
    locked = tmp_path / "artifacts.sha256"
    files = tmp_path / "parts" / "lib" / "files"
    files.mkdir(parents=True)
    (files / "nifi-api-2.3.0.jar").write_bytes(b"one")
    lock.write(locked, lock.fetched(tmp_path / "parts"))
    lock.check(locked, lock.fetched(tmp_path / "parts"), tmp_path / "maven", "some.module")
    (files / "nifi-api-2.3.0.jar").write_bytes(b"another")
    with pytest.raises(lock.DistributionError, match=r"not the locked ones: nifi-api-2\.3\.0\.jar\. Delete"):
        lock.check(locked, lock.fetched(tmp_path / "parts"), tmp_path / "maven", "some.module")


def test_every_locked_artifact_has_a_checksum():
    lines = nifi.LOCK.read_text().splitlines()
    assert len(lines) > 150
    assert all(len(line.split("  ")[0]) == 64 for line in lines)


def test_a_missing_maven_is_named_with_its_fix(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MavenError, match="make setup"):
        fetch([Folder("lib", alone=[Artifact("a", "b", "1")])], tmp_path / "parts", tmp_path / "m2", print)
