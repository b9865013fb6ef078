"""The edge before the ingest listener, beside NiFi's in one process: only producers push, and only what they may."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest
from ansible_collections.dataplatform.aws.plugins.module_utils import _dn

from tests.support.edge import IDENTITY, Edge, Upstream, render, running, serve, settings, wait
from tests.support.pki import Authority, name
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")

HOSTS = {"ingest": "ingest.dev.example.test", "nifi": "nifi.dev.example.test"}
PRODUCER = "CN=flights-producer,OU=Producers,O=Platform"
PUSHER = {**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": PRODUCER}
LIMIT = 1000
RULES = [
    {"role": "admin", "match": {"organization": "Platform", "organizational_unit": "PlatformAdmins"}},
    {"role": "viewer", "match": {"organization": "Platform", "organizational_unit": ["Analytics", "Audit & Law"]}},
    {"role": "banned", "match": {"common_name": "mallory", "organizational_unit": "Producers"}},
    {"role": "producer", "match": {"organization": "Platform", "organizational_unit": ["Producers", "Żródła"]}},
    {"role": "engineer", "match": {"organization": "Platform"}},
]


@pytest.fixture(scope="module")
def listener() -> Iterator[ThreadingHTTPServer]:
    server = serve(Upstream)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def values(tmp_path_factory, listener):
    """Both services of a NiFi host; nothing listens where NiFi would."""
    folder = tmp_path_factory.mktemp("edge")
    proxy = Authority("Services CA").issue(name(CN="edge")).write(folder / "proxy.pem")
    return settings(folder, ["nifi", "ingest"]) | {
        "edge_access_rules": RULES,
        "edge_nifi_host": HOSTS["nifi"],
        "edge_nifi_port": free_port(),
        "edge_nifi_upstream_name": "node.test",
        "edge_nifi_upstream_address": "127.0.0.1",
        "edge_nifi_upstream_port": free_port(),
        "edge_nifi_proxy_certificate": proxy,
        "edge_nifi_ca_file": proxy,
        "edge_nifi_state_path": "/health",
        "edge_nifi_state_address": f"127.0.0.1:{free_port()}",
        "edge_ingest_host": HOSTS["ingest"],
        "edge_ingest_port": free_port(),
        "edge_ingest_upstream": f"127.0.0.1:{listener.server_address[1]}",
        "edge_ingest_max_bytes": LIMIT,
        "edge_ingest_roles": ["producer"],
    }


@pytest.fixture(scope="module")
def edge(values) -> Iterator[Edge]:
    ports = {service: values[f"edge_{service}_port"] for service in HOSTS}
    edge = Edge(values["edge_state_dir"], "ingest", HOSTS, ports, method="POST")
    with running(edge, values, lambda e: e.healthy("/ingest-health")):
        yield edge


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "edge" in request.fixturenames:
        request.getfixturevalue("edge").forget("/ingest-health")


def test_a_producer_pushes_and_the_listener_is_told_who_it_was(edge):
    answer = edge.ask(PUSHER, path="/flights", body=b"{}")
    assert answer.status == 200
    assert answer.header("x-producer-subject") == PRODUCER
    assert answer.header("content-length") == "2"
    assert not [key for key, _ in answer.headers if key.startswith("x-amzn")]


@pytest.mark.parametrize(
    "subject",
    [
        "CN=alice,OU=DataEng,O=Platform",
        "CN=root,OU=PlatformAdmins,O=Platform",
        "CN=bob,OU=Audit & Law,O=Platform",
        "CN=mallory,OU=Producers,O=Platform",
        "CN=x,OU=producers,O=Platform",
        "CN=x,OU=Producers ltd,O=Platform",
        "CN=x,OU=Producers,O=Elsewhere",
        "CN=Producers,OU=Platform,O=Platform",
        "CN=x,OU=\\C5\\BBrodla,O=Platform",
    ],
)
def test_other_roles_are_refused(edge, subject):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject}, body=b"{}")
    assert (answer.status, answer.refused) == (403, "role")


@pytest.mark.parametrize(
    "text",
    [
        PRODUCER,
        "CN=mallory,OU=Producers,O=Platform",
        "CN=bob,OU=Analytics,O=Platform",
        "CN=bob,OU=Audit & Law,O=Platform",
        "CN=root,OU=PlatformAdmins,O=Platform",
        "CN=x,OU=Żródła,O=Platform",
        "CN=x,OU=Producers,O=Elsewhere",
        "CN=edge,OU=Platform-Proxies,O=Platform",
    ],
)
def test_the_edge_and_the_platform_find_the_same_role(edge, text):
    """Whoever the one place that maps names calls a producer may push here, and nobody else."""
    passes = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": text}, body=b"{}").status == 200
    assert passes == (_dn.match(_dn.parse(text), RULES) == "producer")


def test_letters_beyond_ascii_match_in_both_renderings(edge):
    for subject in ("CN=x,OU=Żródła,O=Platform", "CN=x,OU=\\C5\\BBr\\C3\\B3d\\C5\\82a,O=Platform"):
        assert edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject}, body=b"{}").status == 200


@pytest.mark.parametrize(
    "header",
    [
        "X-Producer-Subject",
        "X_Producer_Subject",
        "x-producer_subject",
        "X_Amzn_Mtls_Clientcert_Subject",
        "X-Dataplatform-Subject",
        "Authorization",
        "Cookie",
    ],
)
def test_what_a_client_says_about_itself_never_arrives(edge, header):
    answer = edge.ask({**PUSHER, header: "CN=root"}, body=b"{}")
    assert answer.header("x-producer-subject") == PRODUCER
    assert not [value for _, value in answer.headers if "root" in value]
    engineer = {**IDENTITY, header: PRODUCER}
    assert edge.ask(engineer, body=b"{}").refused == "role"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_post_is_served(edge, method):
    answer = edge.ask(PUSHER, method=method, body=b"")
    assert (answer.status, answer.refused) == (405, "method")


def test_a_body_at_the_limit_passes_and_a_larger_one_does_not(edge):
    assert edge.ask(PUSHER, body=b"x" * LIMIT).status == 200
    answer = edge.ask(PUSHER, body=b"x" * (LIMIT + 1))
    assert (answer.status, answer.refused) == (413, "size")


def test_a_body_without_a_known_length_is_refused(edge):
    answer = edge.ask({**PUSHER, "Transfer-Encoding": "chunked"})
    assert (answer.status, answer.refused) == (411, "length")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_pages_of_other_sites_push_nothing(edge, headers):
    answer = edge.ask({**PUSHER, **headers}, body=b"{}")
    assert (answer.status, answer.refused) == (403, "cross-site")


@pytest.mark.parametrize("service", ["ingest", "nifi"])
def test_a_service_answers_to_its_own_name_only(edge, service):
    other = HOSTS["nifi" if service == "ingest" else "ingest"]
    answer = edge.ask(PUSHER, host=other, body=b"{}", service=service)
    assert (answer.status, answer.refused) == (421, "host")


@pytest.mark.parametrize("service", ["ingest", "nifi"])
def test_a_revoked_certificate_is_refused_by_both(edge, service):
    edge.revoke("a1b2c", stamp="2030-01-01T00:00:01Z")
    answer = edge.ask(PUSHER, body=b"{}", service=service)
    assert (answer.status, answer.refused) == (403, "revoked")


def test_an_old_list_lets_nobody_push(edge):
    edge.revoke(fresh=-1, stamp="2030-01-01T00:00:01Z")
    answer = edge.ask(PUSHER, body=b"{}")
    assert (answer.status, answer.refused) == (503, "revocations-stale")


@pytest.mark.parametrize("missing", [*IDENTITY][:2])
def test_without_subject_or_serial_nobody_pushes(edge, missing):
    answer = edge.ask({key: value for key, value in PUSHER.items() if key != missing}, body=b"{}")
    assert (answer.status, answer.refused) == (401, "no-certificate")


def test_each_services_health_is_its_own(edge):
    assert edge.healthy("/ingest-health")
    assert edge.ask({}, method="GET", path="/edge-health", service="nifi").status == 503


@pytest.mark.parametrize(
    ("line", "complaint"),
    [("producer", "at least one"), ("producer\tcountry=DE", "cannot compare"), ("producer\torganization=", "cannot")],
)
def test_rules_that_mean_nothing_stop_the_start(values, tmp_path, line, complaint):
    """Else a misread rule would let everybody push, or nobody, and say nothing."""
    configuration = render(values["edge_state_dir"], values).read_text()
    (tmp_path / "roles.list").write_text(line + "\n")
    (tmp_path / "haproxy.cfg").write_text(
        configuration.replace(str(values["edge_state_dir"] / "roles.list"), str(tmp_path / "roles.list"))
    )
    done = subprocess.run(
        ["haproxy", "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert complaint in done.stderr


def test_rules_of_the_inventories_are_read_whole(values):
    """Values with spaces and ampersands, lists and single texts alike."""
    text = (render(values["edge_state_dir"], values).parent / "roles.list").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert [row[0] for row in rows] == [rule["role"] for rule in RULES]
    assert rows[1][1:] == ["organization=Platform", "organizational_unit=Analytics", "organizational_unit=Audit & Law"]


def test_health_follows_the_listener(edge, listener):
    """The last one: the listener does not come back."""
    assert edge.healthy("/ingest-health")
    listener.shutdown()
    listener.server_close()
    wait(lambda: not edge.healthy("/ingest-health"))
    assert edge.ask(PUSHER, body=b"{}").status == 503
