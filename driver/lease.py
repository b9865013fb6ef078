"""One run of an environment at a time, on whatever machine: an object in the state bucket says who is at work.

A checkout has its own lock, and Terraform one of its own for stage infrastructure; certificates and hosts have neither.
The object is written where there is none, then each minute again while it is unchanged (conditional writes:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). One that is not renewed is a dead run's.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from typing import Any

from driver import state
from driver.errors import DriverError, Refused
from driver.heartbeat import now
from driver.run import Run

RENEW = 60.0  # seconds
DEAD = 300.0  # seconds without a sign of life


@contextmanager
def held(run: Run) -> Iterator[Callable[[], None]]:
    """The time in which this run may change the environment. Yields what is to be called before each stage: it takes
    the lease as soon as there is a state bucket, and sees that it was not lost.
    """
    lease = Lease(run)
    try:
        yield lease.take
    finally:
        lease.release()


class Lease:
    """The object, and the thread that renews it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.key = f"{run.env}/run.json"
        self.etag: str | None = None
        self.taker = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._began = now()

    def take(self) -> None:
        """Take it, unless that is done.

        :raises Refused: another run has it
        :raises DriverError: another run has taken it over meanwhile
        """
        if self.taker:
            raise DriverError(
                f"{self.run.env} was taken over by {self.taker}: this run gave no sign of life for {DEAD:.0f} s",
                "see what that run does, and run again when it has ended",
            )
        if self.etag or self.run.account.bucket(self._bucket) != "ours":
            return
        self.etag = self._claim(None) or self._take_over()
        self._thread.start()

    def release(self) -> None:
        """Give it back. What fails here is settled by time, or by this checkout's next run."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(5)
        if self.etag and not self.taker:
            with suppress(DriverError):
                self.run.account.delete_object(self._bucket, self.key, self.etag)

    @property
    def _bucket(self) -> str:
        return state.bucket(self.run)

    def _claim(self, etag: str | None) -> str | None:
        own = {**_own(self.run), "verb": self.run.options.verb, "run": self.run.folder.name, "began": self._began}
        return self.run.account.claim(self._bucket, self.key, json.dumps({**own, "renewed": now()}).encode(), etag)

    def _take_over(self) -> str:
        """:raises Refused: it is a run's that lives, as far as can be seen"""
        found = self.run.account.claimed(self._bucket, self.key)
        if found is None:  # given back at this moment
            taken = self._claim(None)
        else:
            other = _read(found.body)
            # (This checkout's own lock is held: there is no other run in it.)
            if found.age < DEAD and not _own(self.run).items() <= other.items():
                raise Refused(
                    f"another run has {self.run.env}: {_words(other)}; its last sign of life was {found.age:.0f} s ago",
                    f"wait until it has ended; without a sign of life it counts as dead after {DEAD:.0f} s",
                )
            taken = self._claim(found.etag)
            if taken:
                self.run.progress.line(f"took over from a run that is dead: {_words(other)}")
        if not taken:
            raise Refused(f"another run has {self.run.env}: it has just begun", "wait until it has ended")
        return taken

    def _renew(self) -> None:
        while not self.taker and not self._ended.wait(RENEW):
            with suppress(DriverError):  # what can't be reached now is tried again; who took over is seen then
                self._renew_now()

    def _renew_now(self) -> None:
        etag = self._claim(self.etag)
        if etag:
            self.etag = etag
            return
        found = self.run.account.claimed(self._bucket, self.key)
        self.taker = _words(_read(found.body)) if found else "a run that has ended"


def _own(run: Run) -> dict[str, str]:
    return {"who": f"{getuser()}@{socket.gethostname()}", "checkout": str(run.project.root)}


def _read(body: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def _words(other: dict[str, Any]) -> str:
    return f"{other.get('who', 'somebody')} ({other.get('verb', 'unknown')}, since {other.get('began', 'unknown')})"
