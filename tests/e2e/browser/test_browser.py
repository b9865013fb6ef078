"""The browser of the end-to-end tests proves trust: it believes its CA only, and shows its certificate only."""

from __future__ import annotations

import shutil
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_pem_private_key, pkcs12

from tests.e2e.browser import browser
from tests.support.pki import Authority, name

HOST = "nifi.dev.rehearsal.localhost"
pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")


class Who(BaseHTTPRequestHandler):
    """Says who the client's certificate names. `/?10` sends the browser on to `/?9`, and so forth."""

    def do_GET(self) -> None:
        subject = dict(part[0] for part in self.connection.getpeercert()["subject"])
        hops = int(self.path.partition("?")[2] or 0)
        onwards = f"<script>onload = () => location.replace('/?{hops - 1}')</script>" if hops else ""
        body = f"<!doctype html><title>who</title>{onwards}<p>hello {subject['commonName']}</p>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class Ca(Authority):
    """A throwaway CA with its certificate in a file."""

    def __init__(self, folder: Path, common_name: str) -> None:
        super().__init__(common_name)
        self.folder = folder
        self.path = folder / f"{common_name}.pem"
        self.path.write_bytes(self.pem)

    def client(self, user: str, password: str) -> Path:
        """`user`'s certificate and key as PKCS#12."""
        issued = self.issue(name(O="Platform", OU="DataEng", CN=user))
        key = load_pem_private_key(issued.key_pem, None)
        path = self.folder / f"{user}.p12"
        path.write_bytes(
            pkcs12.serialize_key_and_certificates(
                user.encode(), key, issued.certificate, [self.certificate], BestAvailableEncryption(password.encode())
            )
        )
        return path


@pytest.fixture
def web(tmp_path):
    return Ca(tmp_path, "web")


@pytest.fixture
def users(tmp_path):
    return Ca(tmp_path, "users")


@pytest.fixture
def url(web, users, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Who)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(web.issue(name(CN=HOST), HOST).write(tmp_path / "server.pem"))
    context.load_verify_locations(users.path)
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.handle_error = lambda *_: None  # refused handshakes are what the tests are about
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://{HOST}:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def test_the_certificate_is_presented_without_a_question(url, web, users, tmp_path):
    p12 = users.client("alice", "secret word")
    shot = tmp_path / "page.png"
    seen = browser.run(["open", "text"], url, ca=web.path, p12=p12, password="secret word", screenshot=shot)
    assert "error" not in seen
    assert "hello alice" in seen["text"]
    assert seen["issuer"] == "web"
    assert shot.read_bytes().startswith(b"\x89PNG")


def test_a_page_that_sends_the_browser_on_is_followed(url, web, users):
    p12 = users.client("alice", "secret")
    seen = browser.run(["open", "text"], f"{url}?12", ca=web.path, p12=p12, password="secret")
    assert "error" not in seen, seen
    assert "hello alice" in seen["text"]


def test_another_ca_is_not_believed(url, users):
    p12 = users.client("alice", "secret")
    seen = browser.run(["open"], url, ca=users.path, p12=p12, password="secret", timeout=20)
    assert "ERR_CERT_AUTHORITY_INVALID" in seen["error"]


def test_without_a_certificate_there_is_no_page(url, web):
    seen = browser.run(["open", "text"], url, ca=web.path, timeout=20)
    assert "net::ERR_" in seen["error"]
    assert seen["steps"] == []


def test_a_wrong_password_is_said(url, web, users):
    p12 = users.client("alice", "secret")
    with pytest.raises(browser.BrowserError, match="pk12util failed"):
        browser.run(["open"], url, ca=web.path, p12=p12, password="wrong")
