"""What a client of the balancer sees, with a real HAProxy."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rehearsal.balancer import health
from rehearsal.balancer.delivery import Collector
from rehearsal.balancer.model import TrustStore
from rehearsal.balancer.process import LOG, BalancerError
from rehearsal.balancer.reconciler import Balancer, Changes

pytestmark = pytest.mark.skipif(
    not (shutil.which("haproxy") or Path("/usr/sbin/haproxy").exists()), reason="haproxy is not installed"
)

SPELLINGS = [
    "X-Amzn-Mtls-Clientcert-Subject",
    "x-amzn-mtls-clientcert-subject",
    "X_Amzn_Mtls_Clientcert_Subject",
    "X-Amzn_Mtls-Clientcert_Subject",
    "x_amzn-mtls_clientcert-subject",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "X-Amzn-Mtls-Anything",
]


def refused(scene, client):
    """Whether a connection is refused before it is served."""
    try:
        scene.request(client=client)
    except (ssl.SSLError, ConnectionError):
        return True
    return False


def wait_for(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_the_target_learns_who_the_client_is(scene):
    seen = dict(scene.seen())
    assert seen["x-amzn-mtls-clientcert-subject"] == "CN=alice,OU=DataEng,O=Platform"
    assert seen["x-amzn-mtls-clientcert-issuer"] == "CN=users"
    assert re.fullmatch(r"[0-9A-F]+", seen["x-amzn-mtls-clientcert-serial-number"])
    assert re.fullmatch(
        r"NotBefore=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ;NotAfter=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
        seen["x-amzn-mtls-clientcert-validity"],
    )
    leaf = seen["x-amzn-mtls-clientcert-leaf"]
    assert leaf.startswith("-----BEGIN%20CERTIFICATE-----%0AMII")
    assert leaf.endswith("%0A-----END%20CERTIFICATE-----%0A")
    assert seen["x-forwarded-proto"] == "https"
    assert seen["x-forwarded-port"] == str(scene.port())
    assert seen["x-forwarded-for"] == "127.0.0.1"
    assert re.fullmatch(r"Root=1-[0-9a-f]{8}-[0-9a-f]{24}", seen["x-amzn-trace-id"])


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_client_cannot_speak_for_the_balancer(scene, name):
    seen = scene.seen((name, "CN=admin,OU=PlatformAdmins,O=Platform"), (name, "CN=root"))
    said = [value for header, value in seen if header.replace("_", "-").startswith("x-amzn-mtls-")]
    assert not any("admin" in value or "root" in value for value in said)
    assert [value for header, value in seen if header == "x-amzn-mtls-clientcert-subject"] == [
        "CN=alice,OU=DataEng,O=Platform"
    ]


def test_a_client_cannot_speak_for_the_balancer_over_http2(scene):
    command = ["curl", "-sS", "--http2", "--cacert", scene.folder / "web.pem", "--cert", scene.folder / "alice.pem"]
    where = "nifi.dev.rehearsal.localhost:" + str(scene.port())
    command += ["--connect-to", f"{where}:{scene.alb.addresses[0]}:{scene.port()}", "-w", "\n%{http_version}"]
    for spelling in SPELLINGS:
        command += ["-H", f"{spelling}: CN=admin"]
    answer = subprocess.run([*map(str, command), f"https://{where}/"], capture_output=True, text=True, check=True)
    body, version = answer.stdout.rsplit("\n", 1)
    assert version == "2"
    assert "CN=admin" not in body
    assert "CN=alice,OU=DataEng,O=Platform" in body


def test_connections_without_a_valid_certificate_are_refused(scene):
    assert refused(scene, None)
    assert refused(scene, "mallory")
    assert refused(scene, "expired")
    assert not refused(scene, "alice")


def test_a_revocation_list_counts_at_once_and_open_connections_stay(scene):
    bob = scene.users.issue(scene.folder, "bob")
    store = next(iter(scene.world.trust_stores.values()))
    scene.trust(replace(store, lists=(scene.users.revocation_list(),)))
    assert not refused(scene, "bob")
    pid = scene.balancer.process.pid
    worker = scene.balancer.process.command("show info")
    with scene.connect("alice") as kept:
        changes = scene.trust(replace(store, lists=(scene.users.revocation_list(bob),)))
        assert any("crl-file" in done for done in changes.done)
        assert refused(scene, "bob")
        assert not refused(scene, "alice")
        kept.sendall(b"GET / HTTP/1.1\r\nHost: nifi.dev.rehearsal.localhost\r\nConnection: close\r\n\r\n")
        assert kept.recv(12) == b"HTTP/1.1 200"
    assert scene.balancer.process.pid == pid
    same_process = next(line for line in worker.splitlines() if line.startswith("Pid:"))
    assert same_process in scene.balancer.process.command("show info")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_not_resumed(scene, version):
    """A resumed session would not be checked against a newer revocation list."""
    context = scene.context("alice")
    context.minimum_version = context.maximum_version = version
    session = None
    for _ in range(2):
        plain = socket.create_connection((scene.alb.addresses[0], scene.port()), timeout=10)
        with context.wrap_socket(plain, server_hostname="nifi.dev.rehearsal.localhost", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: nifi.dev.rehearsal.localhost\r\nConnection: close\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
            assert not connection.session_reused
            session = connection.session


def test_another_ca_is_taken_at_run_time(scene, authorities):
    _, others, _ = authorities
    assert refused(scene, "mallory")
    changes = scene.trust(TrustStore("arn:aws:ts", scene.users.pem + others.pem))
    assert changes.done
    assert all("exchanged" in done for done in changes.done)
    assert not refused(scene, "mallory")
    assert scene.apply().done == []


def test_hosts_without_a_rule_are_misdirected(scene):
    status, headers, body = scene.request(host="elsewhere.example.org")
    assert (status, body, headers["content-type"]) == (421, b"no such host", "text/plain")


def test_http_is_redirected_as_an_alb_does(scene):
    connection = http.client.HTTPConnection(scene.alb.addresses[0], scene.port("HTTP"), timeout=10)
    connection.request("GET", "/nifi/?a=b&c=d", headers={"Host": "nifi.dev.rehearsal.localhost:80"})
    answer = connection.getresponse()
    assert answer.status == 301
    assert answer.getheader("Location") == "https://nifi.dev.rehearsal.localhost:443/nifi/?a=b&c=d"


def test_a_sticky_target_group_sets_the_cookie_of_an_alb(scene):
    _, headers, _ = scene.request()
    cookie = headers["set-cookie"]
    assert re.match(r"AWSALB=[^;]+; ", cookie)
    assert "127.0.0.1" not in cookie
    assert "Path=/" in cookie


def test_requests_come_from_the_balancers_address(scene):
    _, _, body = scene.request()
    assert json.loads(body)["peer"] == scene.alb.addresses[0]


def test_health_follows_the_targets_answers(scene):
    group = scene.alb.groups[0]
    name = f"i-1:{group.targets[0].port}"

    def state():
        return health.targets(scene.alb, group, health.read(scene.balancer.process.command("show stat")), {})[name]

    assert wait_for(lambda: state() == ("healthy", ""))
    scene.upstream.health = 503
    assert wait_for(lambda: state() == ("unhealthy", "Target.ResponseCodeMismatch"))
    # with no healthy target left, an ALB sends requests to all of them
    assert scene.request()[0] == 200
    scene.upstream.health = 200
    assert wait_for(lambda: state() == ("healthy", ""))


class Bucket:
    """An S3 client of one bucket, whose policy lets load balancers deliver below `logs/`."""

    class exceptions:
        ClientError = KeyError

    def __init__(self, encryption="AES256", resource="arn:aws:s3:::logs/*"):
        self.objects: dict[str, str] = {}
        self.encryption = encryption
        self.resource = resource

    def get_bucket_encryption(self, Bucket):
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": self.encryption}}
        return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}

    def get_bucket_policy(self, Bucket):
        principal = {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
        allowed = {"Effect": "Allow", "Principal": principal, "Action": "s3:PutObject", "Resource": self.resource}
        return {"Policy": json.dumps({"Statement": [allowed]})}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
        self.objects[Key] = gzip.decompress(Body).decode()


def kinds(log: Path) -> list[str]:
    """What HAProxy's lines are: A for a request, C for a refused connection, else its own words."""
    return [line.lstrip("\0").partition("\t")[0] for line in log.read_text().splitlines()]


def test_logs_arrive_in_the_albs_formats(scene, authorities):
    scene.request("/nifi/?x=1", [("User-Agent", 'curl "quoted"')])
    scene.request(host="elsewhere.example.org")
    assert refused(scene, "mallory")
    assert refused(scene, "expired")
    log = scene.balancer.folder / LOG
    assert wait_for(lambda: kinds(log).count("A") >= 2 and kinds(log).count("C") >= 2)
    serials = {cert.serial: arn for arn, cert in scene.world.certificates.items()}
    collector = Collector(scene.balancer.folder, log)
    collector.collect([scene.alb], serials)
    bucket = Bucket()
    assert collector.deliver([scene.alb], lambda account: bucket, now=True) == 2
    access = next(text for key, text in bucket.objects.items() if "conn_log" not in key)
    connections = next(text for key, text in bucket.objects.items() if "conn_log" in key)
    key = next(key for key in bucket.objects if key.startswith("alb/"))
    assert re.fullmatch(
        r"alb/AWSLogs/111122223333/elasticloadbalancing/eu-central-1/\d{4}/\d\d/\d\d/"
        r"111122223333_elasticloadbalancing_eu-central-1_app\.dev\.50dc6c495c0c9188_\d{8}T\d{4}Z_127\.0\.41\.1_"
        r"[0-9a-f]{8}\.log\.gz",
        key,
    )
    forwarded, misdirected = sorted(access.splitlines(), key=lambda line: " 421 " in line)
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    assert re.fullmatch(
        rf"https {moment} app/dev/50dc6c495c0c9188 127\.0\.0\.1:\d+ 127\.0\.0\.1:\d+ \d+\.\d{{3}} \d+\.\d{{3}} 0\.000 "
        rf'200 200 \d+ \d+ "GET https://nifi\.dev\.rehearsal\.localhost:{scene.port()}/nifi/\?x=1 HTTP/1\.1" '
        rf'"curl %22quoted%22" \S+ TLSv1\.3 arn:aws:elasticloadbalancing:\S+:targetgroup/nifi/73e2d6bc24d8a067 '
        rf'"Root=1-\S+" "nifi\.dev\.rehearsal\.localhost" "arn:aws:acm:c" 10 {moment} "forward" "-" "-" '
        rf'"127\.0\.0\.1:\d+" "200" "-" "-" TID_[0-9a-f]{{32}}',
        forwarded,
    )
    assert " - -1 -1 -1 421 - " in misdirected
    assert re.search(r' 0 \S+Z "fixed-response" ', misdirected)
    let_in = next(line for line in connections.splitlines() if "Success" in line)
    assert re.fullmatch(
        rf'{moment} 127\.0\.0\.1 \d+ {scene.port()} TLSv1\.3 TLS_\S+ \d+\.000 "CN=alice,OU=DataEng,O=Platform" '
        r"NotBefore=\S+;NotAfter=\S+ [0-9A-F]+ Success TID_[0-9a-f]{32}",
        let_in,
    )
    assert "Failed:ClientCertUntrusted" in connections
    assert "Failed:ClientCertExpired" in connections
    # nothing is delivered twice
    again = Collector(scene.balancer.folder, log)
    again.collect([scene.alb], serials)
    assert again.deliver([scene.alb], lambda account: bucket, now=True) == 0


@pytest.mark.parametrize(
    ("bucket", "reason"),
    [
        (Bucket(encryption="aws:kms"), "SSE-S3 buckets only"),
        (Bucket(resource="arn:aws:s3:::logs/other/*"), "policy does not let"),
    ],
)
def test_logs_that_aws_could_not_deliver_are_not_delivered_here(scene, bucket, reason):
    scene.request()
    log = scene.balancer.folder / LOG
    assert wait_for(lambda: log.read_text().count("\n") >= 1)
    collector = Collector(scene.balancer.folder, log)
    collector.collect([scene.alb], {})
    assert collector.deliver([scene.alb], lambda account: bucket, now=True) == 0
    assert bucket.objects == {}
    assert reason in collector.refused["logs"]


def test_security_groups_decide_who_may_connect(scene):
    listener = replace(scene.alb.listeners[0], sources=("203.0.113.0/24",))
    scene.apply(replace(scene.world, balancers=(replace(scene.alb, listeners=(listener,)),)))
    assert refused(scene, "alice")
    listener = replace(listener, sources=("203.0.113.0/24", "127.0.0.0/8"))
    scene.apply(replace(scene.world, balancers=(replace(scene.alb, listeners=(listener,)),)))
    assert scene.request()[0] == 200


def test_a_target_behind_a_closed_port_times_out(scene):
    group = scene.alb.groups[0]
    blocked = replace(group, targets=(replace(group.targets[0], blocked=True),))
    scene.apply(replace(scene.world, balancers=(replace(scene.alb, groups=(blocked,)),)))
    states = health.read(scene.balancer.process.command("show stat"))
    (state,) = health.targets(scene.alb, blocked, states, {}).values()
    assert state == ("unhealthy", "Target.Timeout")
    assert scene.request()[0] == 503


def test_the_process_is_adopted_by_another_supervisor(scene):
    pid = scene.balancer.process.pid
    second = Balancer(scene.folder / "state")
    changes = Changes()
    second.apply(scene.world, changes)
    assert second.process.pid == pid
    assert changes.done == []


def test_a_configuration_haproxy_refuses_leaves_the_old_one_serving(scene):
    broken = replace(scene.alb, addresses=("999.1.1.1",))
    with pytest.raises(BalancerError, match="HAProxy refuses"):
        scene.apply(replace(scene.world, balancers=(broken,)))
    assert not refused(replace_world(scene), "alice")


def replace_world(scene):
    """The scene with the world it served before."""
    good = replace(scene.world.balancers[0], addresses=("127.0.41.1",))
    scene.world = replace(scene.world, balancers=(good,))
    return scene


def test_loopback_routes_by_server_name(scene):
    with socket.socket() as probe:
        probe.bind(("127.0.42.1", 0))
        port = probe.getsockname()[1]
    listener = replace(scene.alb.listeners[0], port=443)
    address = "127.0.43.9"
    alb = replace(scene.alb, listeners=(listener,), addresses=(address,))
    scene.apply(replace(scene.world, balancers=(alb,), loopback=f"127.0.42.1:{port}"))
    status, _, body = scene.request(address=("127.0.42.1", port))
    assert status == 200
    headers = {name.lower(): value for name, value in json.loads(body)["headers"]}
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-amzn-mtls-clientcert-subject"] == "CN=alice,OU=DataEng,O=Platform"


def test_a_taken_loopback_port_is_named_with_its_holder(scene):
    with socket.socket() as other:
        other.bind(("127.0.42.2", 0))
        other.listen()
        where = f"127.0.42.2:{other.getsockname()[1]}"
        listener = replace(scene.alb.listeners[0], port=443)
        alb = replace(scene.alb, listeners=(listener,), addresses=("127.0.43.9",))
        with pytest.raises(BalancerError, match=rf"{where} is taken by \S+ \(process \d+\).*Stop that program"):
            scene.apply(replace(scene.world, balancers=(alb,), loopback=where))
