"""Maven artifacts by the Maven client of this machine, with the settings it already has (mirrors, proxies)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from rehearsal.errors import RehearsalError

DEPENDENCY_PLUGIN = "3.8.1"
"""Version of maven-dependency-plugin, pinned so that the same artifacts come everywhere."""


class MavenError(RehearsalError):
    """Maven is missing or could not bring the artifacts; the text says which and what to do."""


@dataclass(frozen=True)
class Artifact:
    """Maven coordinates `group:name:version`, packaged as `kind` (jar, nar)."""

    group: str
    name: str
    version: str
    kind: str = "jar"

    def xml(self, element: str) -> str:
        """The coordinates as a POM element (`dependency` or `artifactItem`)."""
        fields = {"groupId": self.group, "artifactId": self.name, "version": self.version, "type": self.kind}
        inner = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
        return f"<{element}>{inner}</{element}>"


@dataclass(frozen=True)
class Folder:
    """What one folder below the target is filled with.

    `alone` come as they are, `complete` with everything they need at run time.
    """

    name: str
    alone: Sequence[Artifact] = ()
    complete: Sequence[Artifact] = ()


def fetch(folders: Sequence[Folder], target: Path, repository: Path, progress: Callable[[str], None]) -> None:
    """Fill `target/NAME` for each folder, resolving through the local repository `repository`.

    One Maven run with a module per folder, so that they download side by side. Raises MavenError.
    """
    if shutil.which("mvn") is None:
        raise MavenError(
            "mvn is not on the PATH: NiFi and Spark's jars come as Maven artifacts; install maven (make setup)"
        )
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    modules = "".join(f"<module>{folder.name}</module>" for folder in folders)
    (target / "pom.xml").write_text(_pom("folders", f"<modules>{modules}</modules>"))
    for folder in folders:
        (target / folder.name).mkdir()
        (target / folder.name / "pom.xml").write_text(_pom(folder.name, _copy(folder)))
    command = ["mvn", "-B", "-ntp", "-T", "2", f"-Dmaven.repo.local={repository}", "package"]
    environment = {"MAVEN_OPTS": "-Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1", **os.environ}
    tail: deque[str] = deque(maxlen=25)
    with subprocess.Popen(
        command, cwd=target, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            tail.append(line.rstrip())
    if process.returncode != 0:
        raise MavenError(
            f"mvn could not bring the artifacts (exit {process.returncode}); check that Maven reaches a repository "
            f"(its settings.xml). It said:\n" + "\n".join(tail)
        )
    progress("the Maven artifacts are here")


def _pom(name: str, body: str) -> str:
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>rehearsal</groupId><artifactId>{name}</artifactId><version>1</version>"
        f"<packaging>pom</packaging>{body}</project>"
    )


def _copy(folder: Folder) -> str:
    """Plugin configuration that copies a folder's artifacts into `${basedir}/files`."""
    output = "<outputDirectory>${project.basedir}/files</outputDirectory>"
    steps = ""
    if folder.alone:
        items = "".join(artifact.xml("artifactItem") for artifact in folder.alone)
        steps += (
            "<execution><id>alone</id><phase>package</phase><goals><goal>copy</goal></goals>"
            f"<configuration>{output}<artifactItems>{items}</artifactItems></configuration></execution>"
        )
    if folder.complete:
        steps += (
            "<execution><id>complete</id><phase>package</phase><goals><goal>copy-dependencies</goal></goals>"
            f"<configuration>{output}<includeScope>runtime</includeScope></configuration></execution>"
        )
    dependencies = "".join(artifact.xml("dependency") for artifact in folder.complete)
    return (
        f"<dependencies>{dependencies}</dependencies><build><plugins><plugin>"
        "<groupId>org.apache.maven.plugins</groupId><artifactId>maven-dependency-plugin</artifactId>"
        f"<version>{DEPENDENCY_PLUGIN}</version><executions>{steps}</executions></plugin></plugins></build>"
    )
