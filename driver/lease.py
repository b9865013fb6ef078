"""One run of an environment at a time, on whatever machine: an object in the state bucket says who is at work.

A checkout has its own lock, and Terraform one of its own for stage infrastructure; certificates and hosts have neither.
The object is written where there is none, then each minute again while it is unchanged (conditional writes:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). One that is not renewed is a dead run's.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from getpass import getuser
from typing import Any

from driver import state
from driver.aws import NotAllowed
from driver.errors import DriverError, Refused
from driver.heartbeat import now
from driver.project import write_private
from driver.run import Run

RENEW = 60.0  # seconds
DEAD = 300.0  # seconds without a sign of life


@contextmanager
def held(run: Run) -> Iterator[Callable[[], None]]:
    """The time in which this run may change the environment. Yields what is to be called before each stage, and at
    the end: it takes the lease as soon as there is a state bucket, and sees that it was not lost.
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
        self.taker = ""  # who has it instead
        self._own = {"checkout": _checkout(run), "run": run.folder.name}
        self._words = {"who": f"{_user()}@{socket.gethostname()}", "verb": run.options.verb, "began": now()}
        self._renewed = 0.0  # wall clock: a machine that sleeps has no other
        self._changes = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._refusal: type[DriverError] = Refused

    def take(self) -> None:
        """Take it, unless that is done; see that it is still there.

        :raises Refused: another run has it
        :raises DriverError: another run has it by now, though this one has begun
        """
        refusal, self._refusal = self._refusal, DriverError
        if self.etag:
            if time.time() - self._renewed > 2 * RENEW:
                self._renew()
            if self.taker:
                raise DriverError(
                    f"{self.run.env} was taken over by {self.taker}: this run gave no sign of life for {DEAD:.0f} s",
                    "see what that run does, and run again when it has ended",
                )
            return
        if self.run.account.bucket(self._bucket) != "ours":
            return
        try:
            self.etag = self._claim(None) or self._take_over(refusal)
        except NotAllowed as error:
            # (Infrastructure gives its own roles this right: an environment that was built before has yet to do so.)
            if refusal is Refused:
                self.run.progress.line(f"another machine is not kept out: {error.message}", "yellow")
            return
        self._renewed = time.time()
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
        body = json.dumps({**self._own, **self._words, "renewed": now()}).encode()
        return self.run.account.claim(self._bucket, self.key, body, etag)

    def _take_over(self, refusal: type[DriverError]) -> str:
        found = self.run.account.claimed(self._bucket, self.key)
        if found is None:  # given back at this moment
            taken = self._claim(None)
        else:
            other = _read(found.body)
            # (This checkout's own lock is held: there is no other run in it.)
            if found.age < DEAD and other.get("checkout") != self._own["checkout"]:
                raise refusal(
                    f"another run has {self.run.env}: {_named(other)}; its last sign of life was {found.age:.0f} s ago",
                    f"wait until it has ended; without a sign of life it counts as dead after {DEAD:.0f} s",
                )
            taken = self._claim(found.etag)
            if taken and other.get("run") != self._own["run"]:
                self.run.progress.line(f"took over from a run that is dead: {_named(other)}")
        if not taken:
            raise refusal(f"another run has {self.run.env}: it has just begun", "wait until it has ended")
        return taken

    def _keep(self) -> None:
        while not self.taker and not self._ended.wait(RENEW):
            with suppress(Exception):  # whatever it is, it is tried again; who took over is seen then
                self._renew()

    def _renew(self) -> None:
        with self._changes:
            etag = self._claim(self.etag)
            if not etag:
                found = self.run.account.claimed(self._bucket, self.key)
                other = _read(found.body) if found else {}
                if not self._own.items() <= other.items():
                    self.taker = _named(other) if found else "a run that has ended"
                    return
                etag = found.etag if found else None  # an earlier answer was lost on the way
            self.etag, self._renewed = etag, time.time()


def _checkout(run: Run) -> str:
    """What tells this checkout from every other one; machines made from one image have the same names and paths."""
    path = run.project.runs(run.env) / "checkout"
    if not path.is_file():
        write_private(path, uuid.uuid4().hex)
    return path.read_text()


def _user() -> str:
    """In a container a user may have a number only."""
    try:
        return getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _read(body: bytes) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(body)
        if isinstance(found, dict):
            return found
    return {}


def _named(other: dict[str, Any]) -> str:
    return f"{other.get('who', 'somebody')} ({other.get('verb', 'unknown')}, since {other.get('began', 'unknown')})"
