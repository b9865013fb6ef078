"""The edge's own configuration under a real HAProxy, in front of an upstream that tells what reached it."""

from __future__ import annotations

import base64
import shutil
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection

import pytest

from tests.support.edge import IDENTITY, SUBJECT, Edge, Upstream, puller, running, serve, settings, wait
from tests.support.pki import Authority, name
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")

HOST = "nifi.dev.example.test"


class State(Upstream):
    """NiFi's management server: healthy while the flag is set."""

    healthy = True

    def respond(self) -> None:
        self.answer(200 if State.healthy else 503)

    do_GET = respond


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    services = Authority("Services CA")
    node = services.issue(name(O="Platform", OU="Platform-Nodes", CN="node.test"), "node.test").write(
        folder / "node.pem"
    )
    proxy = services.issue(name(O="Platform", OU="Platform-Proxies", CN="edge")).write(folder / "proxy.pem")
    (folder / "ca.pem").write_bytes(services.pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(node)
    upstream, state = serve(Upstream, context), serve(State)
    port = free_port()
    values = settings(folder, ["nifi"]) | {
        "edge_nifi_host": HOST,
        "edge_nifi_port": port,
        "edge_nifi_upstream_name": "node.test",
        "edge_nifi_upstream_address": "127.0.0.1",
        "edge_nifi_upstream_port": upstream.server_address[1],
        "edge_nifi_proxy_certificate": proxy,
        "edge_nifi_ca_file": folder / "ca.pem",
        "edge_nifi_state_path": "/health",
        "edge_nifi_state_address": f"127.0.0.1:{state.server_address[1]}",
    }
    with running(
        Edge(folder, "nifi", {"nifi": HOST}, {"nifi": port}), values, lambda e: e.healthy("/edge-health")
    ) as up:
        yield up
    upstream.shutdown()
    state.shutdown()


@pytest.fixture(autouse=True)
def fresh(edge: Edge) -> None:
    """Each test starts with an empty, current list."""
    edge.forget("/edge-health")


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


@pytest.mark.parametrize("missing", [*IDENTITY][:2])
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
    connection = HTTPSConnection("127.0.0.1", edge.ports["nifi"], context=ssl._create_unverified_context(), timeout=10)
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
    assert edge.healthy("/edge-health")
    State.healthy = False
    try:
        wait(lambda: not edge.healthy("/edge-health"))
    finally:
        State.healthy = True
    wait(lambda: edge.healthy("/edge-health"))
