"""What takes minutes to make and is made beside everything else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

RETRY_SECONDS = 30.0
log = logging.getLogger("rehearsal")


class Build[T]:
    """One thing that `make` makes in a thread; a failed attempt is repeated after a while.

    `state` is "unknown", "building", "ready" or "failed: …"; `made` is None until it is ready.
    """

    def __init__(self, name: str, make: Callable[[], T]) -> None:
        self._name = name
        self._make = make
        self._thread: threading.Thread | None = None
        self._again = 0.0
        self.made: T | None = None
        self.state = "unknown"

    def reconcile(self) -> None:
        """Begin unless it is there or being made."""
        busy = self._thread is not None and self._thread.is_alive()
        if self.made is not None or busy or time.monotonic() < self._again:
            return
        self.state = "building"
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.made = self._make()
            self.state = "ready"
        except Exception as problem:
            self._again = time.monotonic() + RETRY_SECONDS
            self.state = f"failed: {problem}"
            log.error("%s", problem)
