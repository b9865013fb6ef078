# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The REST client against a server with mutual TLS: connections are kept, certificates checked, errors readable."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _nifi, _nifi_node, _pki
from cryptography import x509
from cryptography.hazmat.primitives import hashes

NOW = dt.datetime.now(dt.timezone.utc) - dt.timedelta(minutes=1)


def certify(common_name: str, key, issuer: str, issuer_key, authority: bool = False) -> x509.Certificate:
    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    usage = x509.KeyUsage(True, False, False, False, False, authority, authority, False, False)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    return (
        x509.CertificateBuilder()
        .subject_name(name(common_name))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW)
        .not_valid_after(NOW + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(names, critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A CA, a server and a client: {name: path} of their PEM files, and the server's serial."""
    folder = tmp_path_factory.mktemp("pki")
    ca_key, other_key = _pki.new_key(), _pki.new_key()
    found = {}
    for file, authority in (("ca", ca_key), ("other-ca", other_key)):
        (folder / file).write_text(_pki.certificate_pem(certify(file, authority, file, authority, authority=True)))
        found[file] = str(folder / file)
    for file in ("server", "client"):
        key = _pki.new_key()
        certificate = certify(file, key, "ca", ca_key)
        (folder / file).write_bytes(_pki.certificate_pem(certificate).encode() + _pki.key_pem(key))
        found[file] = str(folder / file)
        found[f"{file}-serial"] = _pki.serial_hex(certificate)
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what the test put into ``server.answers``, by method and path."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, body, self.client_address[1]))
        status, content = self.server.answers.get((self.command, self.path), (404, "nothing here"))
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.server.close_after_answer

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files["ca"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files["server"])
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    listening.answers, listening.seen, listening.close_after_answer = {}, [], False
    listening.handle_error = lambda *_arguments: None
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join()


def login(server, files, **changed) -> _nifi.Login:
    values = {"client_cert": files["client"], "client_key": None, "ca_path": files["ca"], "timeout": 10, **changed}
    return _nifi.Login(f"https://127.0.0.1:{server.server_address[1]}/nifi-api/", **values)


def test_one_connection_per_worker(server, files) -> None:
    server.answers["GET", "/nifi-api/flow/about"] = (200, {"about": {"version": "2.3.0"}})
    with _nifi.Client(login(server, files), workers=2) as client:
        answers = client.each(client.get, ["/flow/about"] * 20)
    assert answers == [{"about": {"version": "2.3.0"}}] * 20
    assert len({port for _method, _path, _body, port in server.seen}) <= 2


def test_body_and_empty_answer(server, files) -> None:
    server.answers["PUT", "/nifi-api/x"] = (200, "")
    with _nifi.Client(login(server, files)) as client:
        assert client.put("/x", {"name": "żółw"}) is None
    assert json.loads(server.seen[0][2]) == {"name": "żółw"}


def test_a_kept_connection_that_was_closed_is_opened_again_for_reading_only(server, files) -> None:
    server.answers["GET", "/nifi-api/x"] = server.answers["POST", "/nifi-api/x"] = (200, {})
    server.close_after_answer = True
    with _nifi.Client(login(server, files)) as client:
        assert client.get("/x") == client.get("/x") == {}
        # NiFi may have carried it out before the connection broke: never twice.
        with pytest.raises(_nifi.Unreachable):
            client.post("/x", {})
    assert [method for method, *_rest in server.seen] == ["GET", "GET"]


def test_the_first_error_ends_the_rest(server, files) -> None:
    with _nifi.Client(login(server, files), workers=1) as client, pytest.raises(_nifi.Refused):
        client.each(client.get, ["/missing"] * 50)
    assert len(server.seen) < 50


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "[id] is not the most up-to-date revision. Modified.", _nifi.Outdated),
        (403, "No applicable policies could be found.", _nifi.Refused),
        (409, "conflict", _nifi.Refused),
    ],
)
def test_refusals_say_what_nifi_said(server, files, status, text, kind) -> None:
    server.answers["DELETE", "/nifi-api/tenants/users/1?version=3"] = (status, text)
    with (
        _nifi.Client(login(server, files)) as client,
        pytest.raises(kind, match=f"DELETE /tenants.*{status}.*{text[-9:-1]}"),
    ):
        client.delete("/tenants/users/1", 3)


def test_a_server_of_another_ca_is_refused(server, files) -> None:
    with (
        _nifi.Client(login(server, files, ca_path=files["other-ca"])) as client,
        pytest.raises(_nifi.NifiError) as caught,
    ):
        client.get("/flow/about")
    assert files["other-ca"] in str(caught.value)
    assert not server.seen


def test_nobody_listens(server, files) -> None:
    closed = _nifi.Login("https://127.0.0.1:1/nifi-api", files["client"], None, files["ca"], 5)
    with (
        _nifi.Client(closed) as client,
        pytest.raises(_nifi.Unreachable, match=r"127\.0\.0\.1:1/nifi-api does not answer"),
    ):
        client.get("/flow/about")


@pytest.mark.parametrize("name", ["client_cert", "ca_path"])
def test_a_missing_file_is_named(server, files, name) -> None:
    with pytest.raises(_nifi.NifiError, match="/no/such/file"):
        _nifi.Client(login(server, files, **{name: "/no/such/file"}))


def test_only_https(files) -> None:
    with pytest.raises(_nifi.NifiError, match="https URL"):
        _nifi.Client(_nifi.Login("http://localhost:8080/nifi-api", files["client"], None, files["ca"]))


def single_node(server) -> None:
    server.answers |= {
        ("GET", "/nifi-api/flow/about"): (200, {"about": {"version": "2.3.0"}}),
        ("GET", "/nifi-api/flow/current-user"): (200, {"identity": "CN=client"}),
        ("GET", "/nifi-api/flow/cluster/summary"): (200, {"clusterSummary": {"clustered": False}}),
        ("GET", "/health"): (200, "Status: UP"),
    }


@pytest.fixture
def management():
    """NiFi's management server; its port."""
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.answers, listening.seen, listening.close_after_answer = {("GET", "/health"): (200, "up")}, [], True
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield listening
    listening.shutdown()
    listening.server_close()
    thread.join()


def url(management) -> str:
    return f"http://127.0.0.1:{management.server_address[1]}/health"


def test_node_info_of_a_single_node(server, management, files) -> None:
    single_node(server)
    found = _nifi_node.info(login(server, files), url(management))
    assert (found["healthy"], found["problem"], found["version"]) == (True, "", "2.3.0")
    assert found["certificate"]["serial"] == files["server-serial"]
    assert found["cluster"]["connected"]


def test_node_info_of_a_cluster(server, management, files) -> None:
    single_node(server)
    summary = {"clustered": True, "connectedToCluster": True, "connectedNodeCount": 1, "totalNodeCount": 2}
    node = {"nodeId": "n1", "address": "b", "apiPort": 8443, "status": "CONNECTED", "roles": ["Primary Node"]}
    server.answers["GET", "/nifi-api/flow/cluster/summary"] = (200, {"clusterSummary": summary})
    server.answers["GET", "/nifi-api/controller/cluster"] = (
        200,
        {"cluster": {"nodes": [node, {**node, "nodeId": "n2", "address": "a", "roles": None}]}},
    )
    found = _nifi_node.info(login(server, files), url(management))["cluster"]
    assert (found["connected_nodes"], found["total_nodes"]) == (1, 2)
    assert [one["address"] for one in found["nodes"]] == ["a:8443", "b:8443"]


def test_node_info_shows_a_certificate_that_is_not_trusted(server, management, files) -> None:
    single_node(server)
    found = _nifi_node.info(login(server, files, ca_path=files["other-ca"]), url(management))
    assert found["certificate"]["serial"] == files["server-serial"]
    assert not found["healthy"]
    assert "does not vouch" in found["problem"]


def test_node_info_of_a_node_that_is_down(files) -> None:
    down = _nifi.Login("https://127.0.0.1:1/nifi-api", files["client"], None, files["ca"], 5)
    found = _nifi_node.info(down, "http://127.0.0.1:1/health")
    assert not found["healthy"]
    assert found["problem"].count("does not answer") == 2
    assert found["certificate"] == {}
