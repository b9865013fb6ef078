"""HAProxy's log lines as entries of an ALB's access and connection logs.

Formats: Elastic Load Balancing user guide, "Access logs for your Application Load Balancer" and "Connection logs for
your Application Load Balancer".
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from rehearsal.balancer.model import LoadBalancer, short

VERIFY_ERRORS = {
    3: "ClientCertCrlProcessingError",
    8: "ClientCertCrlProcessingError",
    9: "ClientCertNotYetValid",
    10: "ClientCertExpired",
    11: "ClientCertCrlProcessingError",
    12: "ClientCertCrlProcessingError",
    22: "ClientCertMaxChainDepthExceeded",
    23: "ClientCertCrlHit",
    24: "ClientCertInvalid",
    26: "ClientCertPurposeInvalid",
    28: "ClientCertRejected",
    **dict.fromkeys((2, 7, 18, 19, 20, 21, 27), "ClientCertUntrusted"),
}
"""OpenSSL's verification result (X509_V_ERR_*) → the reason code of the connection log."""

Row = Mapping[str, str]


def access_line(row: Row, balancer: LoadBalancer, certificates: Mapping[str, str]) -> str:
    """One entry of the access log."""
    secure = row["protocol"] not in ("", "-")
    kind = "http" if not secure else "h2" if row["alpn"] == "h2" else "https"
    forwarded = "<" not in row["server"] and row["server"] not in ("", "-")
    scheme = "https" if secure else "http"
    host = row["host"] if row["host"] not in ("", "-") else balancer.dns_name
    url = f"{scheme}://{host if ':' in host else f'{host}:{row["listener_port"]}'}{row['uri']}"
    times = (row["wait"], row["connect"], row["response"])
    first, second = _seconds(times[0], times[1]), _seconds(times[2])
    group = next((g.arn for g in balancer.groups if row["backend"].startswith(f"tg-{short(balancer.arn, g.arn)}")), "-")
    server, status = (row["server"], _dash(row["target_status"])) if forwarded else ("-", "-")
    rule = row["rule"] if row["rule"] not in ("", "-") else "-1"
    version = row["version"].replace("HTTP/2", "HTTP/2.0").replace("HTTP/2.0.0", "HTTP/2.0")
    fields = [
        kind,
        _moment(row["t1"]) or _moment(row["t0"]) or _now(),
        balancer.resource_id,
        f"{row['client']}:{row['port']}",
        server,
        *((first, second, "0.000") if forwarded else ("-1", "-1", "-1")),
        row["status"],
        status,
        row["received"],
        row["sent"],
        _quoted(f"{row['method']} {url} {version}"),
        _quoted(row["agent"]),
        _dash(row["cipher"]),
        _dash(row["protocol"]),
        group if forwarded or row["action"] == "forward" else "-",
        _quoted(row["trace"]),
        _quoted(row["sni"]),
        _quoted(certificates.get(row["certificate"].lstrip("0"), "-")),
        rule,
        _moment(row["t0"]) or _now(),
        _quoted(row["action"]),
        _quoted(row["location"]),
        _quoted("-"),
        _quoted(server),
        _quoted(status),
        _quoted("-"),
        _quoted("-"),
        f"TID_{row['tid']}",
    ]
    return " ".join(fields)


def connection_line(row: Row) -> str:
    """The entry of the connection log for a connection that got through its handshake (its first request `row`)."""
    return " ".join(
        [
            _moment(row["t0"]) or _now(),
            row["client"],
            row["port"],
            row["listener_port"],
            row["protocol"],
            row["cipher"],
            _milliseconds(row["handshake"]),
            *_leaf(row),
            "Success",
            f"TID_{row['tid']}",
        ]
    )


def refused_line(row: Row) -> str:
    """The entry of the connection log for a connection refused in its handshake."""
    number = next((int(row[name]) for name in ("error", "ca_error") if row[name].isdigit() and int(row[name])), 0)
    reason = VERIFY_ERRORS.get(number, "UnmappedConnectionError")
    return " ".join(
        [
            _moment(row["t0"]) or _now(),
            row["client"],
            row["port"],
            row["listener_port"],
            _dash(row["protocol"].replace("(NONE)", "")),
            _dash(row["cipher"].replace("(NONE)", "")),
            _milliseconds(row["handshake"]),
            *_leaf(row),
            f"Failed:{reason}",
            f"TID_{secrets.token_hex(16)}",
        ]
    )


def _leaf(row: Row) -> Sequence[str]:
    """Subject, validity and serial of the client's certificate."""
    valid = "-"
    if re.fullmatch(r"\d{12}Z", row["not_before"]) and re.fullmatch(r"\d{12}Z", row["not_after"]):
        moments = [datetime.strptime(row[name], "%y%m%d%H%M%SZ") for name in ("not_before", "not_after")]
        pairs = zip(("NotBefore", "NotAfter"), moments, strict=True)
        valid = ";".join(f"{name}={at:%Y-%m-%dT%H:%M:%SZ}" for name, at in pairs)
    return _quoted(row["subject"]), valid, _dash(row["serial"])


def _moment(microseconds: str) -> str:
    if not microseconds.isdigit():
        return ""
    at = datetime.fromtimestamp(int(microseconds) / 1e6, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _seconds(*milliseconds: str) -> str:
    """Sum in seconds with three decimals, -1 when a part did not happen."""
    numbers = [int(one) for one in milliseconds if re.fullmatch(r"-?\d+", one)]
    return f"{sum(numbers) / 1000:.3f}" if numbers and min(numbers) >= 0 else "-1"


def _milliseconds(value: str) -> str:
    return f"{int(value):.3f}" if value.isdigit() else "-"


def _dash(value: str) -> str:
    return value or "-"


def _quoted(value: str) -> str:
    escaped = value.replace('"', "%22") if value else "-"
    return f'"{escaped}"'
