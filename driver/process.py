"""The one door to other programs: argument lists only, a scrubbed environment, output in files, signals handed on.

A program that must not be cut off (Terraform while it changes something) writes to a file, not to a pipe: when this
process is killed, the program goes on to its end, and the next run finds it (leftovers.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from driver.errors import DriverError, Interrupted

# What a program inherits; everything else (tokens of other tools, a stray TF_VAR_ or ANSIBLE_ setting) stays out.
INHERITED = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "SSH_AUTH_SOCK", "VIRTUAL_ENV",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "TF_LOG", "TF_PLUGIN_CACHE_DIR", "XDG_RUNTIME_DIR", "DATAPLATFORM_RDS_CA_BUNDLE",
}  # fmt: skip
MARK = "DATAPLATFORM_RUN"  # carried by every program of a run: the run's folder
SECRET_NAMES = ("SECRET", "TOKEN", "PASSWORD", "PRIVATE")
POLL = 0.1  # seconds between looks at a program's output


@dataclass(frozen=True)
class Completed:
    """A program that ended."""

    argv: Sequence[str]
    code: int
    stdout: str
    stderr: str


def child_environment(overrides: Mapping[str, str], inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a program of this run sees.

    Credentials are inherited only when ``overrides`` brings none of its own: two accounts must not mix.
    """
    source = os.environ if inherited is None else inherited
    own = "AWS_ACCESS_KEY_ID" in overrides
    kept = {
        name: value
        for name, value in source.items()
        if name in INHERITED or name.startswith(("LC_", "PIP_")) or (name.startswith("AWS_") and not own)
    }
    return {**kept, **overrides}


def _passwords(text: str) -> Iterator[str]:
    """Those in addresses such as `https://user:password@index.example.com/simple`."""
    for word in text.split():
        with contextlib.suppress(ValueError):
            if password := urlsplit(word).password:
                yield password


class Processes:
    """Starts programs, and hands signals on to them."""

    def __init__(self, environment: Mapping[str, str], mark: str = "") -> None:
        self.mark = mark
        self.use(environment)
        self.interrupted = threading.Event()
        self._signals = 0
        self._deferred = 0
        self._counting = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()

    def use(self, environment: Mapping[str, str]) -> None:
        """From now on programs see these variables on top of what they inherit."""
        self.environment = {**child_environment(environment), **({MARK: self.mark} if self.mark else {})}
        secrets = {v for k, v in self.environment.items() if len(v) >= 8 and any(word in k for word in SECRET_NAMES)}
        secrets |= {password for value in self.environment.values() for password in _passwords(value)}
        self.secrets = sorted(secrets, key=len, reverse=True)

    def redact(self, text: str) -> str:
        """A text without the secrets that this run knows."""
        for secret in self.secrets:
            text = text.replace(secret, "********")
        return text

    @contextlib.contextmanager
    def signals(self) -> Iterator[None]:
        """Ctrl-C, TERM and HUP end the run in order: first the programs it started, then itself."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.interrupted.set()
        self._signals += 1
        if not self._running and not self._deferred:
            raise Interrupted
        # Terraform ends the operation at hand on the first SIGINT; only who insists gets more.
        for process in list(self._running):
            _signal_group(process.pid, signal.SIGINT if self._signals < 3 else signal.SIGKILL)

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Around code that watches ``interrupted`` by itself and must not be left in the middle."""
        with self._counting:
            self._deferred += 1
        try:
            yield
        finally:
            with self._counting:
                self._deferred -= 1
        self.check_interrupted()

    def check_interrupted(self) -> None:
        if self.interrupted.is_set():
            raise Interrupted

    @contextlib.contextmanager
    def _started(
        self, argv: Sequence[str], cwd: Path | None, extra: Mapping[str, str], stdout: int, stderr: int
    ) -> Iterator[subprocess.Popen[bytes]]:
        self.check_interrupted()
        try:
            process = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env={**self.environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                process_group=0,
            )
        except FileNotFoundError:
            raise DriverError(
                f"{argv[0]}: not found", f"install it, or put its folder on the PATH ({argv[0]})"
            ) from None
        self._running.add(process)
        try:
            yield process
        finally:
            self._running.discard(process)

    def capture(
        self,
        argv: Sequence[str],
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
        timeout: float = 600,
    ) -> Completed:
        """Run a short program to its end and take what it printed.

        :param timeout: seconds
        :raises DriverError: it did not end in time, or could not start
        :raises Interrupted: somebody asked to stop
        """
        with self._started(argv, cwd, extra or {}, subprocess.PIPE, subprocess.PIPE) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                _signal_group(process.pid, signal.SIGKILL)
                process.communicate()
                raise DriverError(
                    f"{argv[0]} did not end within {timeout:.0f} s", "look at the machine's load"
                ) from None
        self.check_interrupted()
        return Completed(argv, process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def follow(
        self,
        argv: Sequence[str],
        output: Path,
        on_line: Callable[[str], None],
        cwd: Path | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> int:
        """Run a program whose output goes to a file, and read that file while it grows.

        The program survives this process; its lines end in ``output`` either way.

        :returns: its exit code
        :raises Interrupted: after the program has ended in its own order
        """
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        start = output.stat().st_size
        try:
            with self._started(argv, cwd, extra or {}, descriptor, descriptor) as process, output.open("rb") as stream:
                stream.seek(start)
                lines = _Lines(on_line)
                while process.poll() is None:
                    lines.feed(stream.read())
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(POLL)
                lines.feed(stream.read())
                lines.end()
        finally:
            os.close(descriptor)
        self.check_interrupted()
        return process.returncode


class _Lines:
    """Whole lines out of pieces."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.on_line = on_line
        self.rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.on_line(line.decode(errors="replace"))

    def end(self) -> None:
        if self.rest:
            self.on_line(self.rest.decode(errors="replace"))


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
