"""The role `edge` under a real HAProxy, without a host: its own templates, Lua and puller, in a folder of a test."""

from __future__ import annotations

import contextlib
import importlib.machinery
import importlib.util
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jinja2

from tests.support.pki import Authority, name

ROLE = Path(__file__).parents[2] / "collections/ansible_collections/dataplatform/aws/roles/edge"
SUBJECT = "CN=alice,OU=DataEng,O=Platform"
SERIAL = "0A:1B:2C"
# What a balancer says of alice in mutual TLS verify mode.
IDENTITY = {
    "X-Amzn-Mtls-Clientcert-Subject": SUBJECT,
    "X-Amzn-Mtls-Clientcert-Serial-Number": SERIAL,
    "X-Amzn-Mtls-Clientcert-Validity": "NotBefore=2026-01-01T00:00:00Z;NotAfter=2036-06-30T12:00:00Z",
}


class Upstream(BaseHTTPRequestHandler):
    """Answers every request with the headers it came with."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer(200, json.dumps([[key.lower(), value] for key, value in self.headers.items()]).encode())

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = respond

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@dataclass
class Answer:
    status: int
    refused: str | None
    headers: list[tuple[str, str]]

    def header(self, wanted: str) -> str | None:
        """The one value that reached the upstream."""
        values = [value for key, value in self.headers if key == wanted]
        assert len(values) < 2, values
        return values[0] if values else None


@dataclass
class Edge:
    """A running edge. ``hosts`` and ``ports`` by service; ``ask`` speaks to ``service`` unless told otherwise."""

    folder: Path
    service: str
    hosts: Mapping[str, str]
    ports: Mapping[str, int]
    method: str = "GET"
    paths: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        headers: Mapping[str, str] | Sequence[tuple[str, str]],
        method: str | None = None,
        path: str | None = None,
        host: str | None = None,
        body: bytes | None = None,
        service: str | None = None,
    ) -> Answer:
        """One request as the balancer hands it on; headers are sent as they are, also twice."""
        service = service or self.service
        connection = HTTPSConnection(
            "127.0.0.1", self.ports[service], context=ssl._create_unverified_context(), timeout=30
        )
        connection.putrequest(method or self.method, path or "/", skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.hosts[service] if host is None else host)
        for key, value in headers.items() if isinstance(headers, Mapping) else headers:
            connection.putheader(key, value.encode("utf-8"))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        content = answer.read()
        passed = answer.status == 200 and content.startswith(b"[")
        seen = [(key, value) for key, value in json.loads(content)] if passed else []
        connection.close()
        return Answer(answer.status, answer.getheader("X-Edge-Refused"), seen)

    def revoke(self, *serials: str, stamp: str = "2030-01-01T00:00:00Z", fresh: int = 3600) -> dict[str, Any]:
        """What the timer's program does after the list changed in the bucket."""
        module = puller()
        text = f"# updated {stamp}\n" + "".join(f"{serial}\n" for serial in serials)
        module.fetch = lambda configuration, etag: (text, stamp)
        return module.pull(json.loads((self.folder / "revocations.json").read_text()) | {"max_age_seconds": fresh})

    def forget(self, health: str) -> None:
        """Start over with an empty, current list, and an upstream that a busy machine did not make look dead."""
        (self.folder / "state.json").unlink(missing_ok=True)
        assert self.revoke()["running"]
        wait(lambda: self.healthy(health))

    def healthy(self, path: str, service: str | None = None) -> bool:
        return self.ask({}, method="GET", path=path, host="10.0.0.1", service=service).status == 200


def wait(condition: Callable[[], bool], seconds: float = 60, why: Callable[[], str] = lambda: "") -> None:
    """Until ``condition()`` holds; fails with ``why()`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if condition():
                return
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


def puller() -> Any:
    """The host's program that pulls the list, as a module."""
    loader = importlib.machinery.SourceFileLoader("edge_revocations", str(ROLE / "files/dataplatform-edge-revocations"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def template(source: str, values: Mapping[str, Any]) -> str:
    """One of the role's templates, as Ansible renders it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLE / "templates"),
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    return environment.get_template(source).render(ansible_managed="test", **values)


def render(folder: Path, values: Mapping[str, Any]) -> Path:
    """Write the role's files below ``folder``; return HAProxy's configuration."""
    rules = folder / "roles.list"
    rules.write_text(template("roles.list.j2", values), encoding="utf-8")
    text = template("haproxy.cfg.j2", values)
    # The unprivileged user and the chroot need root; what they protect is not what is tested here.
    kept = [line for line in text.splitlines() if line.split()[:1] not in (["user"], ["group"], ["chroot"])]
    text = "\n".join(kept) + "\n"
    text = text.replace("/run/haproxy/admin.sock", str(folder / "admin.sock"))
    text = text.replace("/etc/haproxy/subject.lua", str(ROLE / "files/subject.lua"))
    text = text.replace("/etc/haproxy/roles.list", str(rules))
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path


def settings(folder: Path, services: Sequence[str]) -> dict[str, Any]:
    """Variables of the role that every service needs, and the puller's settings beside them."""
    Authority("Edge CA").issue(name(CN="edge")).write(folder / "server.pem")
    (folder / "revoked.map").write_text("fresh-until 0\n")
    pulled = {"bucket": "b", "key": "k", "region": "eu-central-1", "max_age_seconds": 3600}
    files = {"map": "revoked.map", "state": "state.json", "socket": "admin.sock"}
    files = {key: str(folder / value) for key, value in files.items()}
    (folder / "revocations.json").write_text(json.dumps(pulled | files))
    return {
        "edge_services": list(services),
        "edge_public_port": 443,
        "edge_max_connections": 100,
        "edge_reload_drain_seconds": 5,
        "edge_config_dir": folder,
        "edge_state_dir": folder,
        "edge_access_rules": [],
    }


def serve(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    # HAProxy ends the connections of its checks without a word.
    server.handle_error = lambda *arguments: None
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@contextlib.contextmanager
def running(edge: Edge, values: Mapping[str, Any], ready: Callable[[Edge], bool]) -> Iterator[Edge]:
    """HAProxy with the role's configuration, once ``ready`` says that its upstreams are seen."""
    log = edge.folder / "log"
    with log.open("wb") as stream:
        command = ["haproxy", "-db", "-f", str(render(edge.folder, values))]
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
        try:
            wait(lambda: process.poll() is not None or ready(edge), why=log.read_text)
            assert process.poll() is None, log.read_text()
            yield edge
        finally:
            process.terminate()
            process.wait(10)
