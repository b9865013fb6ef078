"""The edge's own configuration under a real HAProxy, in front of an upstream that tells what reached it."""

from __future__ import annotations

import base64
import importlib.machinery
import importlib.util
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jinja2
import pytest

from tests.support.pki import Authority, name

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")

ROLE = Path(__file__).parents[3] / "collections/ansible_collections/dataplatform/aws/roles/edge"
HOST = "nifi.dev.example.test"
SUBJECT = "CN=alice,OU=DataEng,O=Platform"
SERIAL = "0A:1B:2C"
IDENTITY = {"X-Amzn-Mtls-Clientcert-Subject": SUBJECT, "X-Amzn-Mtls-Clientcert-Serial-Number": SERIAL}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Upstream(BaseHTTPRequestHandler):
    """Answers every request with the headers it came with."""

    protocol_version = "HTTP/1.1"

    def respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps([[key.lower(), value] for key, value in self.headers.items()]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = respond

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


class State(Upstream):
    """NiFi's management server: healthy while the flag is set."""

    healthy = True

    def respond(self) -> None:
        self.send_response(200 if State.healthy else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = respond


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
    port: int
    folder: Path

    def ask(
        self,
        headers: dict[str, str] | list[tuple[str, str]],
        method: str = "GET",
        path: str = "/nifi-api/flow/current-user",
        host: str = HOST,
    ) -> Answer:
        connection = HTTPSConnection("127.0.0.1", self.port, context=ssl._create_unverified_context(), timeout=10)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for key, value in headers.items() if isinstance(headers, dict) else headers:
            connection.putheader(key, value.encode("utf-8"))
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read()
        passed = answer.status == 200 and body.startswith(b"[")
        seen = [(key, value) for key, value in json.loads(body)] if passed else []
        connection.close()
        return Answer(answer.status, answer.getheader("X-Edge-Refused"), seen)

    def revoke(self, *serials: str, stamp: str = "2030-01-01T00:00:00Z", fresh: int = 3600) -> dict[str, Any]:
        """What the timer's program does after the list changed in the bucket."""
        module = puller()
        text = f"# updated {stamp}\n" + "".join(f"{serial}\n" for serial in serials)
        module.fetch = lambda configuration, etag: (text, stamp)
        return module.pull(json.loads((self.folder / "revocations.json").read_text()) | {"max_age_seconds": fresh})


def puller() -> Any:
    loader = importlib.machinery.SourceFileLoader("edge_revocations", str(ROLE / "files/dataplatform-edge-revocations"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


def render(folder: Path, values: dict[str, Any]) -> Path:
    text = jinja2.Template((ROLE / "templates/haproxy.cfg.j2").read_text(), keep_trailing_newline=True).render(
        ansible_managed="test", **values
    )
    # The unprivileged user and the chroot need root; what they protect is not what is tested here.
    kept = [line for line in text.splitlines() if line.split()[:1] not in (["user"], ["group"], ["chroot"])]
    text = "\n".join(kept) + "\n"
    text = text.replace("/run/haproxy/admin.sock", str(folder / "admin.sock"))
    text = text.replace("/etc/haproxy/subject.lua", str(ROLE / "files/subject.lua"))
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path


def serve(handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    services = Authority("Services CA")
    node = services.issue(name(O="Platform", OU="Platform-Nodes", CN="node.test"), "node.test").write(
        folder / "node.pem"
    )
    proxy = services.issue(name(O="Platform", OU="Platform-Proxies", CN="edge")).write(folder / "proxy.pem")
    services.issue(name(CN="edge")).write(folder / "server.pem")
    (folder / "ca.pem").write_bytes(services.pem)
    (folder / "revoked.map").write_text("fresh-until 0\n")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(node)
    upstream, state = serve(Upstream, context), serve(State)
    port = free_port()
    configuration = render(
        folder,
        {
            "edge_port": f"{port}",
            "edge_max_connections": 100,
            "edge_reload_drain_seconds": 5,
            "edge_config_dir": folder,
            "edge_state_dir": folder,
            "edge_public_host": HOST,
            "edge_public_port": 443,
            "edge_upstream_name": "node.test",
            "edge_upstream_address": "127.0.0.1",
            "edge_upstream_port": upstream.server_address[1],
            "edge_proxy_certificate": proxy,
            "edge_ca_file": folder / "ca.pem",
            "edge_state_path": "/health",
            "edge_state_address": f"127.0.0.1:{state.server_address[1]}",
        },
    )
    (folder / "revocations.json").write_text(
        json.dumps(
            {
                "bucket": "b",
                "key": "k",
                "region": "eu-central-1",
                "map": str(folder / "revoked.map"),
                "state": str(folder / "state.json"),
                "socket": str(folder / "admin.sock"),
                "max_age_seconds": 3600,
            }
        )
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["haproxy", "-db", "-f", str(configuration)], stdout=log, stderr=log)
    running = Edge(port, folder)
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            try:
                if running.ask({}, path="/edge-health").status == 200:
                    break
            except OSError:
                pass
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.1)
        yield running
    finally:
        process.terminate()
        process.wait(10)
        log.close()
        upstream.shutdown()
        state.shutdown()


@pytest.fixture(autouse=True)
def fresh(edge: Edge, request: pytest.FixtureRequest) -> None:
    """Each test starts with an empty, current list."""
    (edge.folder / "state.json").unlink(missing_ok=True)
    if not request.node.get_closest_marker("stale"):
        assert edge.revoke()["running"]


def test_a_user_arrives_as_the_subject_that_the_balancer_verified(edge):
    answer = edge.ask(IDENTITY)
    assert answer.status == 200
    assert answer.header("x-proxiedentitieschain") == f"<{SUBJECT}>"
    assert answer.header("x-proxyhost") == HOST
    assert answer.header("x-proxyscheme") == "https"
    assert answer.header("x-proxyport") == "443"
    assert answer.header("host").startswith("node.test:")
    assert answer.header("x-amzn-mtls-clientcert-subject") is None


@pytest.mark.parametrize(
    "header",
    [
        "X-ProxiedEntitiesChain",
        "x-proxiedentitieschain",
        "X_ProxiedEntitiesChain",
        "X-ProxiedEntityGroups",
        "X_PROXIEDENTITYGROUPS",
        "X-ProxyHost",
        "X-ProxyContextPath",
        "X_ProxyContextPath",
        "X-Forwarded-Host",
        "X-Forwarded-Prefix",
        "X_Forwarded_Context",
        "Authorization",
        "authorization",
        "Cookie",
        "Forwarded",
        "X-HTTP-Method-Override",
        "Request-Token",
        "Proxy-Authorization",
        "X_Amzn_Mtls_Clientcert_Subject",
        "X-Amzn_Mtls_Clientcert_Subject",
        "x-amzn-mtls_clientcert-subject",
    ],
)
def test_what_a_client_says_about_itself_never_arrives(edge, header):
    answer = edge.ask({**IDENTITY, header: "CN=root,OU=PlatformAdmins,O=Platform"})
    assert answer.status == 200
    assert answer.header("x-proxiedentitieschain") == f"<{SUBJECT}>"
    assert not [value for key, value in answer.headers if "root" in value]


def test_a_second_subject_is_refused(edge):
    forged = [*IDENTITY.items(), ("x-amzn-mtls-clientcert-subject", "CN=root,OU=PlatformAdmins,O=Platform")]
    answer = edge.ask(forged)
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize("missing", list(IDENTITY))
def test_without_subject_or_serial_nobody_enters(edge, missing):
    answer = edge.ask({key: value for key, value in IDENTITY.items() if key != missing})
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize("serial", ["", "fresh-until", "xyz", "a" * 41])
def test_a_serial_that_is_none_is_refused(edge, serial):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Serial-Number": serial})
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize(
    "subject",
    [
        "CN=edge,OU=Platform-Proxies,O=Platform",
        "CN=automation,OU=Platform-Automation,O=Platform",
        "CN=x,OU=platform-nodes,O=Platform",
        "CN=x,OU=PLATFORM-NEW,O=Platform",
        "CN=x,OU=\\EF\\BC\\B0latform-Proxies,O=Platform",
        "CN=x,OU=\uff50latform-Proxies,O=Platform",
        "CN=alice,OU=DataEng",
        "CN=alice,OU=DataEng,O=Platform,C=DE",
        "CN=alice,OU=DataEng,OU=PlatformAdmins,O=Platform",
        "OU=DataEng,CN=alice,O=Platform",
        "CN=alice+UID=1,OU=DataEng,O=Platform",
        "CN=a\\,OU\\=PlatformAdmins,OU=DataEng,O=Platform",
        "CN=alice><root,OU=DataEng,O=Platform",
        "CN=alice\\3E,OU=DataEng,O=Platform",
        "CN= alice,OU=DataEng,O=Platform",
        "CN=alice ,OU=DataEng,O=Platform",
        "CN=,OU=DataEng,O=Platform",
        f"CN={'a' * 65},OU=DataEng,O=Platform",
        "CN=al\\E2\\80\\8Bice,OU=DataEng,O=Platform",
        "CN=\\FF\\FE,OU=DataEng,O=Platform",
        "cn=alice,OU=DataEng,O=Platform",
        "CN=#0C05616C696365,OU=DataEng,O=Platform",
        'CN="alice",OU=DataEng,O=Platform',
        "CN=alice;OU=DataEng;O=Platform",
    ],
)
def test_subjects_outside_the_policy_are_refused(edge, subject):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject})
    assert (answer.status, answer.refused) == (403, "subject")


@pytest.mark.parametrize("rendered", ["CN=\\C5\\81ukasz,OU=DataEng,O=Platform", "CN=Łukasz,OU=DataEng,O=Platform"])
def test_letters_beyond_ascii_arrive_as_base64(edge, rendered):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": rendered})
    entity = answer.header("x-proxiedentitieschain")
    assert entity.startswith("<<")
    assert entity.endswith(">>")
    assert base64.b64decode(entity[2:-2]).decode() == "CN=Łukasz,OU=DataEng,O=Platform"


def test_ordinary_punctuation_is_allowed(edge):
    subject = "CN=ann-marie.o'neil_2@example & co,OU=Data Eng,O=Platform"
    assert (
        edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject}).header("x-proxiedentitieschain")
        == f"<{subject}>"
    )


@pytest.mark.parametrize("host", ["evil.example", "node.test", f"{HOST}.evil.example", f"{HOST}:8443", "127.0.0.1", ""])
def test_other_hosts_are_not_served(edge, host):
    answer = edge.ask(IDENTITY, host=host)
    assert (answer.status, answer.refused) == (421, "host")


@pytest.mark.parametrize("host", [HOST, f"{HOST}:443", HOST.upper()])
def test_the_public_host_is_served_with_and_without_its_port(edge, host):
    assert edge.ask(IDENTITY, host=host).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://{HOST}"},
        {"Origin": f"https://{HOST}.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_writes_of_other_sites_are_refused(edge, method, headers):
    answer = edge.ask({**IDENTITY, **headers}, method=method)
    assert (answer.status, answer.refused) == (403, "cross-site")


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "same-origin"}, {"Origin": f"https://{HOST}:443"}]
)
def test_writes_of_nifis_own_pages_and_of_programs_pass(edge, headers):
    assert edge.ask({**IDENTITY, **headers}, method="POST").status == 200


def test_a_link_from_another_site_may_be_followed(edge):
    assert edge.ask({**IDENTITY, "Sec-Fetch-Site": "cross-site"}).status == 200


def test_a_revoked_serial_is_refused_in_every_rendering(edge):
    assert edge.ask(IDENTITY).status == 200
    edge.revoke("a1b2c")
    for rendering in ("0A:1B:2C", "0a1b2c", "00A1B2C", "A1B2C"):
        answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Serial-Number": rendering})
        assert (answer.status, answer.refused) == (403, "revoked"), rendering
    assert edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Serial-Number": "A1B2D"}).status == 200


def test_an_open_connection_is_refused_once_its_certificate_is_revoked(edge):
    connection = HTTPSConnection("127.0.0.1", edge.port, context=ssl._create_unverified_context(), timeout=10)
    statuses = []
    for serials in ((), ("a1b2c",)):
        edge.revoke(*serials, stamp=f"2030-01-01T00:00:0{len(serials)}Z")
        connection.request("GET", "/", headers={**IDENTITY, "Host": HOST})
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
    assert statuses == [200, 403]


def test_a_long_list_is_taken_whole(edge):
    serials = [f"{number:x}" for number in range(0x100000, 0x100000 + 5000)]
    assert edge.revoke(*serials)["revoked"] == 5000
    for serial in (serials[0], serials[2500], serials[-1]):
        assert edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Serial-Number": serial}).refused == "revoked"


def test_an_older_list_does_not_bring_a_revoked_certificate_back(edge):
    edge.revoke("a1b2c", stamp="2030-01-02T00:00:00Z")
    with pytest.raises(Exception, match="older than the one in use"):
        edge.revoke(stamp="2030-01-01T00:00:00Z")
    assert edge.ask(IDENTITY).refused == "revoked"


def test_an_old_list_lets_nobody_in(edge):
    edge.revoke(fresh=-1)
    answer = edge.ask(IDENTITY)
    assert (answer.status, answer.refused) == (503, "revocations-stale")


@pytest.mark.parametrize(
    "text",
    ["", "a1b2c\n", "# updated soon\n", "# updated 2030-01-01T00:00:00Z\nA1B2C\n", "# updated 2030-01-01T00:00:00\n"],
)
def test_a_malformed_list_is_not_taken(text):
    with pytest.raises(Exception, match="line"):
        puller().parse(text, "s3://bucket/key")


def test_health_needs_no_identity_and_follows_nifi(edge):
    assert edge.ask({}, path="/edge-health", host="10.0.0.1").status == 200
    State.healthy = False
    try:
        deadline = time.monotonic() + 20
        while edge.ask({}, path="/edge-health").status != 503:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    finally:
        State.healthy = True
    deadline = time.monotonic() + 20
    while edge.ask({}, path="/edge-health").status != 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
