"""What HAProxy writes to its log for each request and each refused connection: field name → HAProxy expression.

One line is the expressions joined by tabs (HAProxy encodes control characters inside values); logs.py reads them back
by the same names.
"""

from __future__ import annotations

REQUEST = {
    "kind": "A",
    "lb": "{lb}",
    "listener": "{listener}",
    "client": "%ci",
    "port": "%cp",
    "t0": "%[var(txn.t0)]",
    "t1": "%[var(txn.t1)]",
    "server": "%s",
    "wait": "%Tw",
    "connect": "%Tc",
    "response": "%Tr",
    "status": "%ST",
    "target_status": "%[var(txn.tsc)]",
    "received": "%U",
    "sent": "%B",
    "method": "%HM",
    "host": "%[var(txn.host)]",
    "uri": "%[var(txn.pathq)]",
    "version": "%HV",
    "agent": "%[capture.req.hdr(0)]",
    "cipher": "%sslc",
    "protocol": "%sslv",
    "backend": "%b",
    "trace": "%ID",
    "sni": "%[ssl_fc_sni]",
    "certificate": "%[ssl_f_serial,hex]",
    "rule": "%[var(txn.rule)]",
    "action": "%[var(txn.action)]",
    "location": "%[var(txn.location)]",
    "first": "%[var(txn.first)]",
    "tid": "%[var(sess.tid)]",
    "handshake": "%Th",
    "listener_port": "%[dst_port]",
    "subject": "%[ssl_c_s_dn(,0,rfc2253)]",
    "not_before": "%[ssl_c_notbefore]",
    "not_after": "%[ssl_c_notafter]",
    "serial": "%[ssl_c_serial,hex]",
    "alpn": "%[ssl_fc_alpn]",
}

REFUSED = {
    "kind": "C",
    "lb": "{lb}",
    "listener": "{listener}",
    "client": "%ci",
    "port": "%cp",
    "t0": "%[date(0,us)]",
    "listener_port": "%[dst_port]",
    "protocol": "%sslv",
    "cipher": "%sslc",
    "handshake": "%Th",
    "subject": "%[ssl_c_s_dn(,0,rfc2253)]",
    "not_before": "%[ssl_c_notbefore]",
    "not_after": "%[ssl_c_notafter]",
    "serial": "%[ssl_c_serial,hex]",
    "error": "%[ssl_c_err]",
    "ca_error": "%[ssl_c_ca_err]",
    "message": "%[ssl_fc_err_str]",
}


def directive(fields: dict[str, str], balancer: str, listener: int) -> str:
    """The fields as the argument of log-format, for one listener of the load balancer with the key `balancer`."""
    joined = "\\t".join(fields.values())
    return '"' + joined.replace("{lb}", balancer).replace("{listener}", str(listener)) + '"'
