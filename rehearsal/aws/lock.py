"""The lock that lets one request at a time at the account's state (see `server.Account`)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOCK = threading.RLock()


@contextmanager
def released() -> Iterator[None]:
    """Let others in while this request, which holds the lock, only waits."""
    LOCK.release()
    try:
        yield
    finally:
        LOCK.acquire()
