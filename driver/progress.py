"""What a run shows while it goes on: a live view on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

SHOWN_ITEMS = 8  # things at work that fit below a stage's line
MARKS = {"done": ("✓", "green"), "failed": ("✗", "red"), "interrupted": ("!", "yellow"), "skipped": ("-", "dim")}


@dataclass
class Shown:
    """A stage as the view knows it."""

    name: str
    started: float
    items: dict[str, tuple[str, float]] = field(default_factory=dict)
    note: str = ""
    total: int = 0
    finished: int = 0


class Progress:
    """Plain lines. Also the base of the live view: both are told the same things."""

    def __init__(self, console: Console, redact: Callable[[str], str] = lambda text: text) -> None:
        self.console = console
        self.redact = redact
        self.stage: Shown | None = None
        self.lock = threading.RLock()

    def line(self, text: str, style: str = "") -> None:
        """A line that stays."""
        with self.lock:
            self.console.print(Text(self.redact(text), style=style), soft_wrap=True)

    def show(self, renderable: RenderableType) -> None:
        with self.lock:
            self.console.print(renderable)

    def begin(self, name: str) -> None:
        with self.lock:
            self.stage = Shown(name, time.monotonic())
            self._stage_began()

    def end(self, status: str, detail: str = "") -> None:
        """Close the stage at hand with its status (a key of MARKS) and a few words."""
        with self.lock:
            stage = self.stage
            if stage is None:
                return
            self.stage = None
            mark, style = MARKS[status]
            taken = f"{time.monotonic() - stage.started:.1f} s"
            text = Text.assemble(
                (f"{mark} ", style), (f"{stage.name:<15}", "bold"), f"{taken:>8}  ", self.redact(detail)
            )
            self.console.print(text, soft_wrap=True)

    def expect(self, total: int) -> None:
        """How many items there will be from now on."""
        if self.stage:
            self.stage.total, self.stage.finished = total, 0

    def start(self, item: str, what: str) -> None:
        """Something began: a resource, a task on a host."""
        with self.lock:
            if self.stage:
                self.stage.items[item] = (what, time.monotonic())

    def finish(self, item: str, what: str = "", notable: bool = True, counted: bool = True) -> None:
        """It ended; notable ones leave a line where there is no live view.

        :param counted: it is one of those that the stage expects
        """
        with self.lock:
            if self.stage is None:
                return
            _, began = self.stage.items.pop(item, ("", time.monotonic()))
            self.stage.finished += counted and (notable or not self.stage.total)
            if notable:
                self._item_ended(item, what, time.monotonic() - began)

    def note(self, text: str) -> None:
        """What the stage is doing at this moment."""
        with self.lock:
            if self.stage:
                self.stage.note = self.redact(text)
            self._noted(text)

    def _stage_began(self) -> None:
        if self.stage:
            self.line(f"▸ {self.stage.name}", "bold")

    def _item_ended(self, item: str, what: str, seconds: float) -> None:
        taken = f" ({seconds:.0f} s)" if seconds >= 1 else ""
        self.line(f"    {item}: {what}{taken}")

    def _noted(self, text: str) -> None:
        self.line(f"    {text}")

    @contextmanager
    def view(self) -> Iterator[None]:
        """The time during which the view is alive."""
        yield

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The time during which somebody else (a question) has the terminal."""
        yield


class LiveProgress(Progress):
    """Stages that ended stay as lines; below them the stage at hand and what is at work in it."""

    def __init__(self, console: Console, redact: Callable[[str], str] = lambda text: text) -> None:
        super().__init__(console, redact)
        self._live: Live | None = None
        self._spinner = Spinner("dots")

    def _stage_began(self) -> None:
        return None

    def _item_ended(self, item: str, what: str, seconds: float) -> None:
        return None

    def _noted(self, text: str) -> None:
        return None

    def end(self, status: str, detail: str = "") -> None:
        super().end(status, detail)
        if self._live:
            self._live.refresh()  # nothing of the stage stays below the lines that follow

    def render(self) -> RenderableType:
        with self.lock:
            stage = self.stage
            if stage is None:
                return Text("")
            now = time.monotonic()
            count = (
                f"{stage.finished}/{stage.total}" if stage.total else (str(stage.finished) if stage.finished else "")
            )
            head = Table.grid(padding=(0, 1))
            head.add_row(
                self._spinner, Text(f"{stage.name:<13}", "bold"), f"{now - stage.started:6.1f} s", count, stage.note
            )
            body = Table.grid(padding=(0, 1))
            newest = list(stage.items.items())
            for item, (what, began) in newest[:SHOWN_ITEMS]:
                body.add_row(
                    "   ",
                    Text(item, "cyan", overflow="ellipsis", no_wrap=True),
                    what,
                    Text(f"{now - began:.0f} s", "dim"),
                )
            more = len(newest) - SHOWN_ITEMS
            return Group(head, body, Text(f"    … and {more} more", "dim")) if more > 0 else Group(head, body)

    @contextmanager
    def view(self) -> Iterator[None]:
        with Live(console=self.console, get_renderable=self.render, refresh_per_second=5, transient=True) as live:
            self._live = live
            try:
                yield
            finally:
                self._live = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        live = self._live
        if live is None:
            yield
            return
        live.stop()
        try:
            yield
        finally:
            live.start(refresh=True)


class Aside(Progress):
    """What goes on beside a stage: it is shown with the stage's own, which neither count it nor change their note."""

    def __init__(self, main: Progress) -> None:
        super().__init__(main.console, main.redact)
        self.main = main

    def line(self, text: str, style: str = "") -> None:
        self.main.line(text, style)

    def start(self, item: str, what: str) -> None:
        self.main.start(item, what)

    def finish(self, item: str, what: str = "", notable: bool = True, counted: bool = False) -> None:
        self.main.finish(item, what, notable, counted)

    def note(self, text: str) -> None:
        return None


def make(redact: Callable[[str], str], to_stderr: bool = False) -> Progress:
    """The view that fits where the output goes.

    :param to_stderr: standard output belongs to something else (JSON, shell lines)
    """
    stream = sys.stderr if to_stderr else sys.stdout
    console = Console(file=stream, highlight=False, width=None if stream.isatty() else 160)
    return (
        LiveProgress(console, redact)
        if console.is_terminal and not console.is_dumb_terminal
        else Progress(console, redact)
    )
