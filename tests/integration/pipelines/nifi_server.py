"""A NiFi of the test's own: the assembled distribution, certificates of a throwaway CA, this checkout's processors."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.dataplatform.aws.plugins.module_utils import _keystore, _nifi, _properties
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
    pkcs12,
)

from rehearsal.distribution import nifi as distribution
from tests.support.pki import Authority, name
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "changeit"
ADMIN = "CN=automation, OU=Platform-Automation, O=Platform"
OLDEST_JAVA = 21  # NiFi 2's


def wait_for(condition: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> Any:
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.25)


def java_home() -> Path | None:
    """A Java that NiFi runs on."""
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    for home in [*homes, *sorted(Path("/usr/lib/jvm").glob("*"), reverse=True)]:
        release = home / "release"
        found = re.search(r'JAVA_VERSION="(\d+)', release.read_text()) if release.exists() else None
        if found and int(found[1]) >= OLDEST_JAVA and (home / "bin" / "java").exists():
            return home
    return None


class Nifi:
    """Installed in a folder; started and ended as often as a test likes."""

    def __init__(self, folder: Path, authority: Authority, environment: Mapping[str, str]) -> None:
        self.home = folder / distribution.ROOT
        self.port, self.management = free_port(), free_port()
        self.environment = {**environment, "JAVA_HOME": str(java_home()), "PATH": os.environ["PATH"]}
        self.process: subprocess.Popen[bytes] | None = None
        with zipfile.ZipFile(distribution.build(ROOT / ".cache").path) as archive:
            archive.extractall(folder)

        for script in (self.home / "bin").iterdir():
            script.chmod(0o755)
        self._certificates(authority)
        self._extensions()
        self._configure()

    @property
    def login(self) -> _nifi.Login:
        conf = self.home / "conf"
        return _nifi.Login(
            f"https://localhost:{self.port}/nifi-api", str(conf / "admin.pem"), None, str(conf / "ca.pem"), 60
        )

    def start(self) -> None:
        log = (self.home / "run.log").open("ab")
        self.process = subprocess.Popen(
            [str(self.home / "bin" / "nifi.sh"), "run"],
            env=self.environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        log.close()
        wait_for(self._healthy, 240, self.log_end)

    def kill(self) -> None:
        """As a power loss does: SIGKILL to NiFi and its Python processes."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log_end(self) -> str:
        lines = [line for path in (self.home / "logs").glob("nifi-app.log") for line in path.read_text().splitlines()]
        return "\n".join([(self.home / "run.log").read_text()[-2000:], *lines[-40:]])

    def _healthy(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"NiFi ended with {self.process.returncode}\n{self.log_end()}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.management}/health", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _certificates(self, authority: Authority) -> None:
        conf = self.home / "conf"
        server = authority.issue(name(O="Platform", OU="Platform-Nodes", CN="node"), "localhost", "127.0.0.1")
        admin = authority.issue(name(O="Platform", OU="Platform-Automation", CN="automation"))
        admin.write(conf / "admin.pem")
        (conf / "ca.pem").write_bytes(authority.pem)
        key = load_pem_private_key(server.key_pem, None)
        store = pkcs12.serialize_key_and_certificates(
            b"node", key, server.certificate, [authority.certificate], BestAvailableEncryption(PASSWORD.encode())
        )
        (conf / "keystore.p12").write_bytes(store)
        (conf / "truststore.p12").write_bytes(_keystore.truststore([authority.certificate], PASSWORD))

    def _extensions(self) -> None:
        """As the role lays them out: the processors, and beside them the packages that the host has."""
        folder = self.home / "dataplatform"
        (folder / "NAR-INF").mkdir(parents=True)
        (folder / "lake").symlink_to(ROOT / "pipelines" / "processors" / "lake")
        (folder / "NAR-INF" / "bundled-dependencies").symlink_to(sysconfig.get_path("purelib"))

    def _configure(self) -> None:
        self._set(
            "nifi.properties",
            {
                "nifi.web.https.port": self.port,
                "nifi.web.https.host": "127.0.0.1",
                "nifi.web.proxy.host": f"localhost:{self.port}",
                "nifi.remote.input.http.enabled": "false",
                "nifi.security.keystorePasswd": PASSWORD,
                "nifi.security.keyPasswd": PASSWORD,
                "nifi.security.truststorePasswd": PASSWORD,
                "nifi.security.user.login.identity.provider": "",
                "nifi.sensitive.props.key": "only-for-this-test",
                "nifi.flowfile.repository.always.sync": "true",
                "nifi.content.repository.always.sync": "true",
                "nifi.python.command": os.path.realpath(sys.executable),
                "nifi.python.extensions.source.directory.dataplatform": "./dataplatform",
            },
        )
        self._set(
            "bootstrap.conf",
            {
                "java.arg.2": "-Xms256m",
                "java.arg.3": "-Xmx700m",
                # as a host of DEV: what is compiled twice does not pay in so short a life
                "java.arg.compiler": "-XX:TieredStopAtLevel=1",
                "java.arg.collector": "-XX:+UseSerialGC",
                "management.server.address": f"http://127.0.0.1:{self.management}",
            },
        )
        authorizers = self.home / "conf" / "authorizers.xml"
        text = authorizers.read_text()
        for identity in ("Initial User Identity 1", "Initial Admin Identity"):
            text = text.replace(f'"{identity}"></', f'"{identity}">{ADMIN}</')
        authorizers.write_text(text)

    def _set(self, file: str, values: Mapping[str, Any]) -> None:
        path = self.home / "conf" / file
        properties = _properties.Properties(path.read_bytes())
        _properties.apply(properties, {key: str(value) for key, value in values.items()})
        path.write_bytes(bytes(properties))
