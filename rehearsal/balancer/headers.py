"""The request headers an ALB deletes and sets, as HAProxy directives.

Sources: Elastic Load Balancing user guide, "HTTP headers and Application Load Balancers" and "Mutual authentication
with TLS in Application Load Balancer".
"""

from __future__ import annotations

from rehearsal.balancer.model import LoadBalancer
from rehearsal.balancer.rules import quote


def identity(balancer: LoadBalancer, secure: bool, mode: str) -> list[str]:
    """Who the client is, by the handshake alone: whatever a client says in these headers is deleted first."""
    lines = [
        "http-request del-header ^x[-_]amzn[-_]mtls[-_] -m reg",
        "http-request del-header ^x[-_]amzn[-_]tls[-_] -m reg",
    ]
    if balancer.flag("routing.http.drop_invalid_header_fields.enabled"):
        lines.append("http-request del-header [^-A-Za-z0-9] -m reg")
    if not secure:
        return lines
    if balancer.flag("routing.http.x_amzn_tls_version_and_cipher_suite.enabled"):
        lines += [
            "http-request set-header X-Amzn-Tls-Version %sslv",
            "http-request set-header X-Amzn-Tls-Cipher-Suite %sslc",
        ]
    encoded = "ssl_c_der,base64,regsub('(.{64})','\\1%0A',g),regsub('%0A\\$','')"
    leaf = "-----BEGIN%%20CERTIFICATE-----%%0A%[var(txn.pem)]%%0A-----END%%20CERTIFICATE-----%%0A"
    if mode == "passthrough":
        lines += [
            f'http-request set-var(txn.pem) "{encoded}" if {{ ssl_c_used }}',
            f"http-request set-header X-Amzn-Mtls-Clientcert {leaf} if {{ ssl_c_used }}",
        ]
    if mode == "verify":
        moment = "regsub('^(..)(..)(..)(..)(..)(..)Z?\\$','20\\1-\\2-\\3T\\4:\\5:\\6Z')"
        lines += [
            "http-request set-header X-Amzn-Mtls-Clientcert-Serial-Number %[ssl_c_serial,hex]",
            "http-request set-header X-Amzn-Mtls-Clientcert-Subject %[ssl_c_s_dn(,0,rfc2253)]",
            "http-request set-header X-Amzn-Mtls-Clientcert-Issuer %[ssl_c_i_dn(,0,rfc2253)]",
            f'http-request set-var(txn.nb) "ssl_c_notbefore,{moment}"',
            f'http-request set-var(txn.na) "ssl_c_notafter,{moment}"',
            "http-request set-header X-Amzn-Mtls-Clientcert-Validity NotBefore=%[var(txn.nb)];NotAfter=%[var(txn.na)]",
            f'http-request set-var(txn.pem) "{encoded}"',
            f"http-request set-header X-Amzn-Mtls-Clientcert-Leaf {leaf}",
        ]
    return lines


def tracing() -> list[str]:
    """Trace id, and what the access log needs to know of the request."""
    return [
        "http-request set-var(txn.t0) date(0,us)",
        "http-after-response set-var(txn.t1) date(0,us)",
        "http-response set-var(txn.tsc) status",
        "http-request set-var(txn.first) str(first) unless { var(sess.seen) -m found }",
        "http-request set-var(sess.seen) bool(true)",
        "http-request set-var(txn.host) req.hdr(host)",
        "http-request set-var(txn.pathq) pathq",
        "http-request capture req.fhdr(User-Agent) len 512",
        "unique-id-format Root=1-%[date,hex,bytes(8,8),lower]-%[uuid,regsub('-','',g),bytes(0,24)]",
        'http-request set-header X-Amzn-Trace-Id "%[unique-id,regsub(^Root,Self)];%[req.fhdr(X-Amzn-Trace-Id)]" '
        "if { req.fhdr(X-Amzn-Trace-Id) -m sub Root= }",
        "http-request set-header X-Amzn-Trace-Id %[unique-id] if !{ req.fhdr(X-Amzn-Trace-Id) -m sub Root= }",
    ]


def forwarded(balancer: LoadBalancer, secure: bool) -> list[str]:
    """Where the request came from: X-Forwarded-Proto, -Port and -For, as the attributes say."""
    scheme = "https" if secure else "http"
    client = "%[src]:%[src_port]" if balancer.flag("routing.http.xff_client_port.enabled") else "%[src]"
    lines = [
        f"http-request set-var(txn.scheme) str({scheme})",
        f"http-request set-header X-Forwarded-Proto {scheme}",
        "http-request set-header X-Forwarded-Port %[dst_port]",
    ]
    match balancer.attribute("routing.http.xff_header_processing.mode", "append"):
        case "remove":
            lines.append("http-request del-header X-Forwarded-For")
        case "append":
            found = "{ req.hdr(X-Forwarded-For) -m found }"
            lines += [
                f"http-request set-var-fmt(txn.xff) {quote(client)} if !{found}",
                f'http-request set-var-fmt(txn.xff) "%[req.fhdr(X-Forwarded-For)], {client}" if {found}',
                "http-request set-header X-Forwarded-For %[var(txn.xff)]",
            ]
    return lines
