"""A real HAProxy between a test's client and a small TLS upstream that says what it was sent."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from rehearsal.balancer.model import (
    Certificate,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    MutualTls,
    Redirect,
    Rule,
    Target,
    TargetGroup,
    TrustStore,
    World,
)
from rehearsal.balancer.reconciler import Balancer, Changes
from rehearsal.balancer.rules import group_backend
from tests.support.ports import free_port

ACCOUNT = "111122223333"
ARN = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}"
NAMES = ("nifi.dev.rehearsal.localhost", "airflow.dev.rehearsal.localhost")


class Authority:
    """A CA of a test: issues client and server certificates and revocation lists."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.name, self.key, 30)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        flags = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
        flags += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]
        usage = x509.KeyUsage(**{flag: flag in ("key_cert_sign", "crl_sign") for flag in flags})
        builder = builder.add_extension(constraints, critical=True).add_extension(usage, critical=True)
        self.certificate = builder.sign(self.key, hashes.SHA256())
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: float) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )

    def issue(self, folder: Path, name: str, days: float = 1, names: tuple[str, ...] = ()) -> x509.Certificate:
        """`folder/name.pem`: key and certificate of CN=name,OU=DataEng,O=Platform."""
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [(NameOID.ORGANIZATION_NAME, "Platform"), (NameOID.ORGANIZATIONAL_UNIT_NAME, "DataEng")]
        attributes = [x509.NameAttribute(oid, value) for oid, value in [*parts, (NameOID.COMMON_NAME, name)]]
        builder = self._builder(x509.Name(attributes), key, days)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{name}.pem").write_bytes(private + certificate.public_bytes(Encoding.PEM))
        return certificate

    def revocation_list(self, *revoked: x509.Certificate) -> str:
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now - timedelta(hours=1)).next_update(now + timedelta(days=1))
        for certificate in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - timedelta(hours=1)).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


class Echo(BaseHTTPRequestHandler):
    """Answers every request with its headers, as they came, in JSON."""

    protocol_version = "HTTP/1.1"
    health = 200
    name = ""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(type(self).health, b"")
            return
        seen = {"headers": self.headers.items(), "path": self.path, "peer": self.client_address[0]}
        seen["name"] = type(self).name
        self._answer(200, json.dumps(seen).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


@dataclass
class Scene:
    """A balancer that serves one ALB with mutual TLS on loopback addresses."""

    balancer: Balancer
    world: World
    users: Authority
    folder: Path
    upstream: type[Echo]

    @property
    def alb(self) -> LoadBalancer:
        return self.world.balancers[0]

    def port(self, protocol: str = "HTTPS") -> int:
        return next(one.port for one in self.alb.listeners if one.protocol == protocol)

    def balancer_key(self, group: TargetGroup) -> str:
        return group_backend(self.alb, group.arn).removeprefix("tg-")

    def apply(self, world: World | None = None) -> Changes:
        self.world = world or self.world
        changes = Changes()
        self.balancer.apply(self.world, changes)
        return changes

    def trust(self, store: TrustStore) -> Changes:
        """Serve with another content of the trust store."""
        return self.apply(replace(self.world, trust_stores={store.arn: store}))

    def context(self, client: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "web.pem"))
        if client:
            context.load_cert_chain(self.folder / f"{client}.pem")
        return context

    def connect(self, client: str | None = "alice", address: tuple[str, int] | None = None) -> ssl.SSLSocket:
        """A TLS connection on which one byte could be read or a request sent; raises when it is refused."""
        plain = socket.create_connection(address or (self.alb.addresses[0], self.port()), timeout=10)
        return self.context(client).wrap_socket(plain, server_hostname=NAMES[0])

    def request(
        self,
        path: str = "/",
        headers: list[tuple[str, str]] | None = None,
        client: str | None = "alice",
        host: str = NAMES[0],
        address: tuple[str, int] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, response headers and body of a GET. OSError when the connection is refused."""
        with self.connect(client, address) as connection:
            lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
            lines += [f"{name}: {value}" for name, value in headers or []]
            connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status, dict(answer.getheaders()), answer.read()

    def seen(self, *headers: tuple[str, str], client: str = "alice", path: str = "/") -> list[tuple[str, str]]:
        """The headers the upstream gets, names in lower case."""
        status, _, body = self.request(path, list(headers), client)
        assert status == 200
        return [(name.lower(), value) for name, value in json.loads(body)["headers"]]


@pytest.fixture(scope="session")
def authorities() -> tuple[Authority, Authority, Authority]:
    """Users' CA, another CA, and the web CA."""
    return Authority("users"), Authority("others"), Authority("web")


@pytest.fixture
def scene(
    tmp_path: Path, authorities: tuple[Authority, Authority, Authority], echo: Callable[[Path], tuple[int, type[Echo]]]
) -> Iterator[Scene]:
    users, others, web = authorities
    users.issue(tmp_path, "alice")
    users.issue(tmp_path, "expired", days=-1)
    others.issue(tmp_path, "mallory")
    server = web.issue(tmp_path, "server", names=NAMES)
    (tmp_path / "web.pem").write_text(web.pem)
    upstream_port, upstream = echo(tmp_path / "server.pem")
    certificate = Certificate(
        "arn:aws:acm:c", f"{server.serial_number:X}", NAMES, (tmp_path / "server.pem").read_text()
    )
    store = TrustStore("arn:aws:ts", users.pem)
    group = TargetGroup(
        arn=f"{ARN}:targetgroup/nifi/73e2d6bc24d8a067",
        name="nifi",
        protocol="HTTPS",
        check=HealthCheck("HTTPS", None, "/health", "200", 1, 2, 2, 2),
        targets=(Target("i-1", "127.0.0.1", upstream_port),),
        sticky_seconds=600,
    )
    rules = (
        Rule(10, (Condition("host-header", (NAMES[0],)),), Forward(((group.arn, 1),))),
        Rule(0, (), FixedResponse(421, "text/plain", "no such host")),
    )
    address = "127.0.41.1"
    listener = Listener(
        f"{ARN}:listener/app/dev/50dc6c495c0c9188/1",
        free_port(address),
        "HTTPS",
        rules,
        (certificate.arn,),
        MutualTls("verify", store.arn, False, True),
    )
    redirect = Listener(
        f"{ARN}:listener/app/dev/50dc6c495c0c9188/2",
        free_port(address),
        "HTTP",
        (Rule(0, (), Redirect(301, protocol="HTTPS", port="443")),),
    )
    alb = LoadBalancer(
        arn=f"{ARN}:loadbalancer/app/dev/50dc6c495c0c9188",
        name="dev",
        account_id=ACCOUNT,
        region="eu-central-1",
        vpc_id="vpc-1",
        dns_name="dev-1.eu-central-1.elb.amazonaws.com",
        addresses=(address,),
        attributes={
            "access_logs.s3.enabled": "true",
            "access_logs.s3.bucket": "logs",
            "access_logs.s3.prefix": "alb",
            "connection_logs.s3.enabled": "true",
            "connection_logs.s3.bucket": "logs",
        },
        listeners=(listener, redirect),
        groups=(group,),
    )
    world = World((alb,), {store.arn: store}, {certificate.arn: certificate}, loopback="")
    balancer = Balancer(tmp_path / "state")
    made = Scene(balancer, world, users, tmp_path, upstream)
    try:
        made.apply()
        yield made
    finally:
        balancer.process.stop()


@pytest.fixture
def echo() -> Iterator[Callable[[Path], tuple[int, type[Echo]]]]:
    """Starts TLS upstreams: (port, handler class) for a file with key and certificate."""
    servers: list[ThreadingHTTPServer] = []

    def start(pem: Path) -> tuple[int, type[Echo]]:
        handler = type("OneEcho", (Echo,), {})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.handle_error = lambda *_: None  # a health check that hangs up is no error
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return int(server.server_address[1]), handler

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
