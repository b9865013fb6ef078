"""Which calls may change what the supervisor follows: all but reads and what moves data.

A supervisor that knows that nothing was changed need not ask for all instances, groups and interfaces each second,
which is about half of what the account does in a rehearsal at rest.
"""

from __future__ import annotations

import re
from typing import Any

READS = ("Describe", "Get", "List", "BatchGet", "Lookup", "Search", "Query")
"""How the operations begin that AWS's own ReadOnlyAccess policy allows."""
DATA = re.compile(r"/(s3|sqs|sns|logs|monitoring|ssmmessages)/aws4_request")
"""Services in whose requests hosts move data, as a signature's scope names them."""
ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


def may_change(environ: dict[str, Any]) -> bool:
    """Whether a request, whose body was read, may change instances, networks, databases, balancers or jobs."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD") or DATA.search(environ.get("HTTP_AUTHORIZATION", "")):
        return False
    return not operation(environ).startswith(READS)


def operation(environ: dict[str, Any]) -> str:
    """The operation of AWS's JSON and query protocols; empty for REST, whose methods tell."""
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return target.rpartition(".")[2]
    body = environ["wsgi.input"]
    named = ACTION.search(body.getbuffer()) if hasattr(body, "getbuffer") else None
    return named[1].decode() if named else ""
