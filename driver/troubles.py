"""What keeps an account from doing its part, told while a run waits for it instead of after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from driver.errors import DriverError
from driver.target import Connector

LOOK = 3.0  # seconds


@contextmanager
def told(connector: Connector, tell: Callable[[str], None]) -> Iterator[None]:
    """The time in which each new problem is told once. One that is still there when a wait fails is in its error.

    :param tell: called from another thread
    """
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(connector, tell, ended), name="troubles", daemon=True)
    watch.start()
    try:
        yield
    except DriverError as error:
        lines = _lines(connector)
        if not lines:
            raise
        raise type(error)("\n  ".join([error.message, *lines]), error.fix) from error
    finally:
        ended.set()
        watch.join()


def _watch(connector: Connector, tell: Callable[[str], None], ended: threading.Event) -> None:
    known: set[str] = set()
    while not ended.wait(LOOK):
        lines = _lines(connector)
        for line in lines:
            if line not in known:
                tell(line)
        known = set(lines)


def _lines(connector: Connector) -> list[str]:
    return [f"{connector.kind}: {name}: {text}" for name, text in connector.problems().items()]
