"""HAProxy's configuration for all load balancers of all accounts.

Every file is named relative to the state folder, HAProxy's working directory: unix socket paths are limited to 108
bytes, and the folder's own path may be long.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rehearsal.balancer import headers, logformat
from rehearsal.balancer.model import Certificate, Listener, LoadBalancer, Network, TargetGroup, TrustStore, World
from rehearsal.balancer.rules import group_backend, quote, render_rules

STATS = "stats.sock"
CONFIG = "haproxy.cfg"
STATES = "server-state"


@dataclass(frozen=True)
class Rendered:
    """A configuration: its text, and the files it names (name → content). `digest` covers what needs a reload."""

    text: str
    files: dict[str, str]
    certificates: frozenset[str]
    digest: str


def render(world: World) -> Rendered | None:
    """The configuration for `world`; None when there is nothing to listen on."""
    files: dict[str, str] = {}
    certificates: set[str] = set()
    sections = [_account_front(network, world.account_port) for network in world.networks]
    served = [balancer for balancer in world.balancers if balancer.addresses]
    sections += _loopback(served, world)
    for balancer in served:
        for listener in balancer.listeners:
            if listener.protocol == "HTTPS":
                certificates |= _certificate_files(listener, world.certificates, files)
                _trust_files(listener, world.trust_stores, files)
            sections.append(_frontend(balancer, listener, world, files))
        for group in balancer.groups:
            sections += _backends(balancer, group)
    if not sections:
        return None
    body = "\n".join("\n".join(section) + "\n" for section in sections)
    # the content of trust files is swapped at run time; whatever else changes needs a reload
    lasting = "".join(f"{name}\0{text}\0" for name, text in sorted(files.items()) if not name.startswith("trust-"))
    digest = hashlib.sha256((_HEAD + body + lasting).encode()).hexdigest()[:16]
    head = _HEAD.replace("description -", f"description {digest}")
    return Rendered(head + body, files, frozenset(certificates), digest)


_HEAD = f"""# Made by rehearsal/balancer; changed whenever an account changes.
global
  description -
  maxconn 2000
  hard-stop-after 60s
  stats socket unix@{STATS} mode 600 level admin expose-fd listeners
  log stdout len 16384 format raw local0 info
  # no resumption: a resumed session would pass a new revocation list
  tune.ssl.cachesize 0
  # what the checks found outlives a reload
  server-state-file {STATES}
  tune.ssl.default-dh-param 2048
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  # an ALB does not verify its targets' certificates
  ssl-server-verify none

defaults
  mode http
  log global
  option dontlognull
  load-server-state-from-file global
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-request 60s
  timeout http-keep-alive 60s
  timeout tunnel 1h

"""


def _account_front(network: Network, port: int) -> list[str]:
    """The account's API at the VPC's gateway, where the hosts call it."""
    return [
        f"listen api-{network.vpc_id}",
        "  mode tcp",
        "  no log",
        "  timeout client 10m",
        "  timeout server 10m",
        f"  bind {network.gateway}:{port}",
        f"  server api 127.0.0.1:{port}",
    ]


def _loopback(balancers: Iterable[LoadBalancer], world: World) -> list[list[str]]:
    """TCP front on the machine's loopback: hands a connection to the load balancer its server name belongs to."""
    routes = []
    for balancer in balancers:
        for listener in balancer.listeners:
            names = [name for cert in _certificates(listener, world.certificates) for name in cert.names]
            if listener.protocol == "HTTPS" and listener.port == 443 and names:
                routes.append((f"{balancer.key}-{listener.port}", names))
    if not routes or not world.loopback:
        return []
    front = [
        "frontend loopback",
        "  mode tcp",
        "  no log",
        "  timeout client 1h",
        f"  bind {world.loopback}",
        "  tcp-request inspect-delay 5s",
        "  tcp-request content accept if { req.ssl_hello_type 1 }",
        "  tcp-request content reject if WAIT_END",
    ]
    backends = []
    for key, names in routes:
        for name in names:
            test = f"-m end -i {quote(name[1:])}" if name.startswith("*.") else f"-m str -i {quote(name)}"
            front.append(f"  use_backend to-{key} if {{ req.ssl_sni {test} }}")
        backends.append(
            [
                f"backend to-{key}",
                "  mode tcp",
                "  no log",
                "  timeout server 1h",
                f"  server balancer unix@{key}.sock send-proxy-v2",
            ]
        )
    return [front, *backends]


def _certificates(listener: Listener, certificates: Mapping[str, Certificate]) -> list[Certificate]:
    return [certificates[arn] for arn in listener.certificates if arn in certificates]


def _certificate_files(listener: Listener, certificates: Mapping[str, Certificate], files: dict[str, str]) -> set[str]:
    """Add a listener's certificates to `files`; the names of those that hold keys."""
    names = set()
    for certificate in _certificates(listener, certificates):
        name = f"cert-{certificate.key}.pem"
        files[name] = certificate.pem
        names.add(name)
    return names


def _trust_files(listener: Listener, stores: Mapping[str, TrustStore], files: dict[str, str]) -> None:
    store = stores.get(listener.mutual.trust_store_arn)
    if listener.mutual.mode == "verify" and store:
        files[f"trust-{store.key}.ca.pem"] = store.bundle
        if store.lists:
            files[f"trust-{store.key}.crl.pem"] = "".join(store.lists)


def _bind_options(listener: Listener, balancer: LoadBalancer, world: World) -> str:
    if listener.protocol != "HTTPS":
        return ""
    options = ["ssl", *(f"crt cert-{cert.key}.pem" for cert in _certificates(listener, world.certificates))]
    options.append("alpn h2,http/1.1" if balancer.flag("routing.http2.enabled", True) else "alpn http/1.1")
    if "TLS13-1-3" in listener.policy:
        options.append("ssl-min-ver TLSv1.3")
    mutual = listener.mutual
    if mutual.mode == "verify":
        store = world.trust_stores[mutual.trust_store_arn]
        options.append(f"verify required ca-file trust-{store.key}.ca.pem")
        if store.lists:
            options.append(f"crl-file trust-{store.key}.crl.pem")
        if not mutual.advertise:
            options.append("no-ca-names")
        if mutual.ignore_expiry:
            options.append("crt-ignore-err 10")  # X509_V_ERR_CERT_HAS_EXPIRED
    elif mutual.mode == "passthrough":
        options.append("verify optional crt-ignore-err all ca-ignore-err all")
    return " ".join(["", *options])


def _frontend(balancer: LoadBalancer, listener: Listener, world: World, files: dict[str, str]) -> list[str]:
    secure = listener.protocol == "HTTPS"
    options = _bind_options(listener, balancer, world)
    idle = balancer.attribute("idle_timeout.timeout_seconds", "60")
    bodies: dict[str, str] = {}
    lines = [f"bind {address}:{listener.port}{options}" for address in balancer.addresses]
    if secure and listener.port == 443:
        # id 99: this machine's loopback, which stands for a client outside and is never filtered
        lines.append(f"bind unix@{balancer.key}-{listener.port}.sock id 99 mode 600 accept-proxy{options}")
    if listener.sources is not None:
        admitted = f" !{{ src {' '.join(listener.sources)} }}" if listener.sources else ""
        lines.append(f"tcp-request connection reject if !{{ so_id 99 }}{admitted}")
    lines += [
        "tcp-request session set-var(sess.tid) uuid,regsub(-,,g)",
        f"timeout client {idle}s",
        f"timeout http-keep-alive {idle}s",
        f"log-format {logformat.directive(logformat.REQUEST, balancer.key, listener.port)}",
        f"error-log-format {logformat.directive(logformat.REFUSED, balancer.key, listener.port)}",
        *headers.identity(balancer, secure, listener.mutual.mode),
        *headers.tracing(),
        *headers.forwarded(balancer, secure),
        *render_rules(balancer, listener.rules, bodies),
    ]
    files.update(bodies)
    return [f"frontend alb-{balancer.key}-{listener.port}", *(f"  {line}" for line in lines)]


def _backends(balancer: LoadBalancer, group: TargetGroup) -> list[list[str]]:
    """A target group's backend, and its twin for when no target is healthy."""
    name = group_backend(balancer, group.arn)
    check = group.check
    idle = balancer.attribute("idle_timeout.timeout_seconds", "60")
    common = [
        "balance leastconn" if group.algorithm == "least_outstanding_requests" else "balance roundrobin",
        f"timeout server {idle}s",
        f"source {balancer.addresses[0]}",
    ]
    if group.sticky_seconds is not None:
        common += [
            f"cookie AWSALB insert maxlife {group.sticky_seconds}s",
            "http-after-response replace-header Set-Cookie ^(AWSALB=[^;]*).* "
            f'"\\1; Max-Age={group.sticky_seconds}; Path=/"',
        ]
    checks = [
        "option httpchk",
        f"http-check send meth GET uri {quote(check.path)} ver HTTP/1.1 hdr Host %[srv_name] "
        "hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
        f"http-check expect status {check.matcher.replace(' ', '')}",
        f"timeout check {check.timeout}s",
    ]
    secure = " ssl verify none alpn http/1.1" if group.protocol == "HTTPS" else ""
    how = f" check inter {check.interval}s rise {check.healthy} fall {check.unhealthy}"
    how += " check-ssl" if check.protocol == "HTTPS" else " no-check-ssl"
    servers, plain = [], []
    for target in group.targets:
        sticky = (
            f" cookie {name[3:]}{_cookie(target.identity, target.port)}" if group.sticky_seconds is not None else ""
        )
        weight = " weight 0" if target.draining else ""
        weight += " disabled" if target.blocked else ""
        line = f"server {target.address}:{target.port} {target.address}:{target.port}{secure}{sticky}{weight}"
        plain.append(line)
        port = f" port {check.port}" if check.port else ""
        servers.append(line + (f"{how}{port}" if check.enabled else ""))
    healthy = [*common, *(checks if check.enabled else []), *servers]
    return [
        [f"backend {name}", *(f"  {line}" for line in healthy)],
        [f"backend {name}-open", *(f"  {line}" for line in [*common, *plain])],
    ]


def _cookie(identity: str, port: int) -> str:
    return hashlib.sha256(f"{identity}:{port}".encode()).hexdigest()[:32]
