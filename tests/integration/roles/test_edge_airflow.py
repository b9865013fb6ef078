"""The edge before Airflow: who may come through, what arrives, and that Airflow's own credentials stay whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.support.edge import IDENTITY, SUBJECT, Edge, Upstream, running, serve, settings, wait
from tests.support.ports import free_port

pytestmark = pytest.mark.skipif(not shutil.which("haproxy"), reason="needs haproxy")

HOST = "airflow.dev.example.test"
HEALTHY = {"metadatabase": {"status": "healthy"}, "scheduler": {"status": "unhealthy"}}
ADMIN = "CN=root,OU=PlatformAdmins,O=Platform"


class Airflow(Upstream):
    """Answers with the headers it got; its health is what the test says."""

    health = (200, HEALTHY)

    def do_GET(self) -> None:
        if self.path == "/api/v2/monitor/health":
            status, document = Airflow.health
            return self.answer(status, json.dumps(document, separators=(",", ":")).encode())
        return self.respond()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    upstream, port = serve(Airflow), free_port()
    values = settings(folder, ["airflow"]) | {
        "edge_airflow_host": HOST,
        "edge_airflow_port": port,
        "edge_airflow_upstream": f"127.0.0.1:{upstream.server_address[1]}",
    }
    edge = Edge(folder, "airflow", {"airflow": HOST}, {"airflow": port})
    with running(edge, values, lambda e: e.healthy("/edge-health")):
        yield edge
    upstream.shutdown()


@pytest.fixture(autouse=True)
def fresh(edge: Edge) -> None:
    edge.forget("/edge-health")


def test_airflow_is_told_once_who_until_when_and_with_which_certificate(edge):
    answer = edge.ask(IDENTITY)
    assert answer.status == 200
    assert answer.header("x-dataplatform-subject") == SUBJECT
    assert answer.header("x-dataplatform-not-after") == "2036-06-30T12:00:00Z"
    assert answer.header("x-dataplatform-serial") == "a1b2c"
    assert not [key for key, _ in answer.headers if key.startswith("x-amzn")]


@pytest.mark.parametrize(
    "header",
    [
        "X-Dataplatform-Subject",
        "x-dataplatform-subject",
        "X_Dataplatform_Subject",
        "X-Dataplatform_Subject",
        "x_DATAPLATFORM-subject",
        "X.Dataplatform.Subject",
        "X-Dataplatform-Not-After",
        "X_Dataplatform_Not_After",
        "X-Dataplatform_Serial",
        "X_Amzn_Mtls_Clientcert_Subject",
        "X-Amzn_Mtls_Clientcert_Subject",
        "x-amzn-mtls_clientcert-subject",
        "X-Amzn-Mtls-Clientcert_Subject",
        "X-ProxiedEntitiesChain",
        "X-Forwarded-Host",
        "X_Forwarded_Host",
        "X-Forwarded-Prefix",
        "X_Forwarded_For",
        "X-HTTP-Method-Override",
        "Forwarded",
        "Upgrade",
    ],
)
def test_what_a_client_says_about_itself_never_arrives(edge, header):
    answer = edge.ask([(header, ADMIN), *IDENTITY.items(), (header, ADMIN)])
    assert answer.status == 200
    assert answer.header("x-dataplatform-subject") == SUBJECT
    assert not [value for _, value in answer.headers if "root" in value]


@pytest.mark.parametrize("header", list(IDENTITY))
def test_a_second_word_on_who_somebody_is_is_refused(edge, header):
    answer = edge.ask([*IDENTITY.items(), (header.lower(), IDENTITY[header])])
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize("missing", list(IDENTITY))
def test_without_subject_serial_or_validity_nobody_enters(edge, missing):
    answer = edge.ask({key: value for key, value in IDENTITY.items() if key != missing})
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize("validity", ["", "NotBefore=2026-01-01T00:00:00Z", "NotBefore=a;NotAfter=never", "2036-06-30"])
def test_an_end_that_is_no_time_is_refused(edge, validity):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Validity": validity})
    assert (answer.status, answer.refused) == (401, "no-certificate")


@pytest.mark.parametrize(
    "subject", ["CN=edge,OU=Platform-Proxies,O=Platform", "CN=alice,OU=DataEng", "CN=a+UID=1,OU=DataEng,O=Platform"]
)
def test_subjects_outside_the_policy_are_refused(edge, subject):
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject})
    assert (answer.status, answer.refused) == (403, "subject")


def test_letters_beyond_ascii_arrive_as_the_balancer_wrote_them(edge):
    subject = "CN=\\C5\\81ukasz,OU=DataEng,O=Platform"
    answer = edge.ask({**IDENTITY, "X-Amzn-Mtls-Clientcert-Subject": subject})
    assert answer.header("x-dataplatform-subject") == subject


def test_airflows_own_token_passes_as_header_and_as_cookie(edge):
    token = {"Authorization": "Bearer abc.def.ghi", "Cookie": "_token=abc.def.ghi; session=1"}
    answer = edge.ask({**IDENTITY, **token})
    assert answer.header("authorization") == token["Authorization"]
    assert answer.header("cookie") == token["Cookie"]


def test_airflow_makes_addresses_of_the_public_name(edge):
    answer = edge.ask({**IDENTITY, "X-Forwarded-Proto": "http", "X-Forwarded-Port": "80"})
    assert answer.header("host") == HOST
    assert answer.header("x-forwarded-proto") == "https"
    assert answer.header("x-forwarded-host") == HOST
    assert answer.header("x-forwarded-port") == "443"


def test_only_the_balancers_word_on_the_clients_address_counts(edge):
    answer = edge.ask({**IDENTITY, "X-Forwarded-For": "127.0.0.1, 198.51.100.7"})
    assert answer.header("x-forwarded-for") == "198.51.100.7"


@pytest.mark.parametrize("host", ["evil.example", "nifi.dev.example.test", f"{HOST}:8443", ""])
def test_other_hosts_are_not_served(edge, host):
    answer = edge.ask(IDENTITY, host=host)
    assert (answer.status, answer.refused) == (421, "host")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}])
def test_writes_of_other_sites_are_refused(edge, method, headers):
    answer = edge.ask({**IDENTITY, **headers}, method=method)
    assert (answer.status, answer.refused) == (403, "cross-site")


@pytest.mark.parametrize("headers", [{}, {"Origin": f"https://{HOST}", "Sec-Fetch-Site": "same-origin"}])
def test_writes_of_airflows_own_pages_and_of_programs_pass(edge, headers):
    assert edge.ask({**IDENTITY, **headers}, method="PATCH").status == 200


@pytest.mark.parametrize(
    "path", ["/execution/", "/execution", "//execution/health", "/%65xecution/x", "/./EXECUTION/x"]
)
def test_the_interface_of_tasks_is_not_for_people(edge, path):
    answer = edge.ask(IDENTITY, path=path)
    assert (answer.status, answer.refused) == (403, "path")


def test_a_dag_may_be_called_execution(edge):
    assert edge.ask(IDENTITY, path="/dags/execution/runs").status == 200


def test_a_revoked_certificate_is_refused_whatever_token_it_brings(edge):
    edge.revoke("a1b2c", stamp="2030-01-01T00:00:01Z")
    answer = edge.ask({**IDENTITY, "Authorization": "Bearer abc.def.ghi"})
    assert (answer.status, answer.refused) == (403, "revoked")


def test_an_old_list_lets_nobody_in(edge):
    edge.revoke(fresh=-1, stamp="2030-01-01T00:00:01Z")
    answer = edge.ask(IDENTITY)
    assert (answer.status, answer.refused) == (503, "revocations-stale")


@pytest.mark.parametrize("health", [(200, {**HEALTHY, "metadatabase": {"status": "unhealthy"}}), (500, HEALTHY)])
def test_health_follows_airflow_and_its_database(edge, health):
    assert edge.healthy("/edge-health")
    Airflow.health = health
    try:
        wait(lambda: not edge.healthy("/edge-health"))
    finally:
        Airflow.health = (200, HEALTHY)
    wait(lambda: edge.healthy("/edge-health"))
