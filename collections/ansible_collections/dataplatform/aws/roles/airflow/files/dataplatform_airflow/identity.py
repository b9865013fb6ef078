"""The certificate behind a request, as the edge tells it in three headers."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass

from ansible_collections.dataplatform.aws.plugins.module_utils import _dn

SUBJECT, NOT_AFTER, SERIAL = b"x-dataplatform-subject", b"x-dataplatform-not-after", b"x-dataplatform-serial"
NAMES = (SUBJECT, NOT_AFTER, SERIAL)


class IdentityError(Exception):
    """The headers do not name exactly one valid certificate. The text is shown to the user."""


@dataclass(frozen=True)
class Certificate:
    """A verified certificate.

    dn: its subject as RFC 4514 text, the one form in which subjects are compared here.
    not_after: when it ends, in seconds since 1970. serial: hexadecimal, for the log.
    """

    dn: str
    not_after: float
    serial: str = ""

    def seconds_left(self) -> int:
        """How long it is still valid; never negative."""
        return max(0, int(self.not_after - time.time()))


current: ContextVar[Certificate | None] = ContextVar("dataplatform_certificate", default=None)
"""The certificate of the request that is being answered."""


def _moment(text: str) -> float:
    """RFC 3339 in UTC, alone or as the load balancer writes it: `NotBefore=…;NotAfter=2026-01-31T00:00:00Z`."""
    value = text.rsplit("NotAfter=", 1)[-1].strip()
    try:
        return dt.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC).timestamp()
    except ValueError:
        raise IdentityError("The end of your certificate's validity could not be read.") from None


def certificate_of(headers: Iterable[tuple[bytes, bytes]]) -> Certificate | None:
    """The certificate that the edge vouches for; None for a request that did not come by way of it.

    headers: lower-case names as ASGI gives them. WSGI makes one variable of `-` and `_`, so every spelling counts, and
    a second one is refused: the edge sends exactly one.

    Raises IdentityError.
    """
    found: dict[bytes, str] = {}
    for name, value in headers:
        plain = name.lower().replace(b"_", b"-")
        if plain not in NAMES:
            continue
        if name.lower() != plain or plain in found:
            raise IdentityError("This request names a certificate in more than one way.")
        found[plain] = value.decode("utf-8", "replace")
    if not found:
        return None
    if SUBJECT not in found or NOT_AFTER not in found:
        raise IdentityError("This request names a certificate only in part.")
    try:
        dn = _dn.check_subject(_dn.parse(found[SUBJECT])).rfc4514()
    except _dn.DnError:
        raise IdentityError("This certificate's subject is not a user's.") from None
    certificate = Certificate(dn, _moment(found[NOT_AFTER]), found.get(SERIAL, ""))
    if not certificate.seconds_left():
        raise IdentityError("Your certificate has expired. Install the new one in your browser.")
    return certificate
