"""The verification's HTTPS client against a real TLS server that asks for client certificates."""

from __future__ import annotations

import dataclasses
import http.server
import json
import ssl
import threading

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils._verification._http import (
    Endpoint,
    KeyPair,
    Refused,
    Unreachable,
)

from tests.support.pki import name


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        threading.Event().wait(2.5 if self.path == "/slow" else 0)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = json.dumps({"headers": self.headers.items(), "path": self.path, "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET


@pytest.fixture
def server(authority, tmp_path):
    own = authority.issue(name(CN="nifi.test.localhost"), "nifi.test.localhost").write(tmp_path / "server.pem")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    httpd.handle_error = lambda *args: None
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield Endpoint("nifi.test.localhost", httpd.server_address[1], str(ca))
    httpd.shutdown()
    httpd.server_close()


def pair_of(authority, **subject):
    issued = authority.issue(name(**subject))
    return KeyPair(issued.certificate_pem, issued.key_pem)


def test_a_trusted_certificate_gets_an_answer(server, authority):
    answer = server.request("GET", "/who", pair=pair_of(authority, O="Platform", OU="DataEng", CN="alice"))
    assert answer.status == 200
    assert answer.json()["path"] == "/who"


def test_headers_are_sent_as_given_also_twice_and_with_underscores(server, authority):
    headers = [("X-Twice", "1"), ("X-Twice", "2"), ("X_Under_Score", "3")]
    answer = server.request("GET", "/", pair=pair_of(authority, CN="alice"), headers=headers)
    sent = [tuple(pair) for pair in answer.json()["headers"]]
    assert set(headers) <= set(sent)


def test_no_certificate_is_refused(server):
    with pytest.raises(Refused):
        server.request("GET", "/")


def test_another_cas_certificate_is_refused(server, other_authority):
    with pytest.raises(Refused):
        server.request("GET", "/", pair=pair_of(other_authority, CN="alice"))


def test_a_server_that_is_not_trusted_is_no_refusal(server, authority, other_authority, tmp_path):
    """Otherwise every negative check would pass against a wrong CA file."""
    ca = tmp_path / "other.pem"
    ca.write_bytes(other_authority.pem)
    with pytest.raises(Unreachable, match="not trusted"):
        Endpoint(server.host, server.port, str(ca)).request("GET", "/", pair=pair_of(authority, CN="alice"))


def test_a_closed_port_is_no_refusal(server):
    with pytest.raises(Unreachable):
        Endpoint(server.host, 1, server.ca_path).request("GET", "/")


def test_an_answer_may_take_longer_than_a_connection(server, authority):
    """A busy platform is not unreachable."""
    hasty = dataclasses.replace(server, timeout=2.0)
    assert hasty.request("GET", "/slow", pair=pair_of(authority, CN="alice")).status == 200
    with pytest.raises(Unreachable, match="timed out"):
        dataclasses.replace(server, answer_timeout=0.5).request("GET", "/slow", pair=pair_of(authority, CN="alice"))


def test_the_key_is_not_shown(authority):
    assert "PRIVATE" not in repr(pair_of(authority, CN="alice"))
