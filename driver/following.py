"""Reads along a file that another program fills, so that a long task says what it is at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOOK = 0.5  # seconds


@contextmanager
def lines(path: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """The time in which every whole line that appears in the file is told once. The file is gone afterwards.

    :param tell: called from another thread
    """
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, tell, ended), name=f"follow {path.name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        path.unlink(missing_ok=True)


def _follow(path: Path, tell: Callable[[str], None], ended: threading.Event) -> None:
    read = 0
    while True:
        last = ended.wait(LOOK)  # what was written before the end is still told
        try:
            with path.open("rb") as stream:
                stream.seek(read)
                text = stream.read()
        except FileNotFoundError:
            text = b""
        whole = text[: text.rfind(b"\n") + 1]
        read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            tell(line)
        if last:
            return
