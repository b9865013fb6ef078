"""The HAProxy process: started once, reloaded without dropping connections, adopted after the supervisor died."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from rehearsal.balancer.addresses import BalancerError, listening, open_sockets
from rehearsal.balancer.render import CONFIG, STATES, STATS

PID = "haproxy.pid.json"
LOG = "haproxy.log"
ERRORS = "haproxy.err"
START_SECONDS = 15.0
AGAIN_SECONDS = 5.0  # after which a reload is asked for once more: a master that is busy with one before may miss it


class Process:
    """One HAProxy master with its working directory `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def pid(self) -> int | None:
        """Process id of the running master, or None. A recycled id is told apart by its start time."""
        try:
            known = json.loads((self.folder / PID).read_text())
            pid = int(known["pid"])
            return pid if _start_time(pid) == known["started"] else None
        except (OSError, ValueError, KeyError):
            return None

    def check(self, config: str) -> None:
        """Have HAProxy read `config` (a file name in the folder). Raises BalancerError with what it says."""
        binary = _binary()
        done = subprocess.run(
            [binary, "-c", "-q", "-C", str(self.folder), "-f", config], text=True, capture_output=True, check=False
        )
        if done.returncode != 0:
            raise BalancerError(f"HAProxy refuses {self.folder / config}:\n{done.stderr.strip()}")

    def start(self) -> None:
        """Start the master with haproxy.cfg; returns when it serves."""
        (self.folder / STATES).write_text("1\n")  # the format's version, and no server
        output = os.open(self.folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        errors = os.open(self.folder / ERRORS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            child = subprocess.Popen(
                [_binary(), "-W", "-db", "-C", str(self.folder), "-f", CONFIG],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        finally:
            os.close(output)
            os.close(errors)
        state = {"pid": child.pid, "started": _start_time(child.pid)}
        (self.folder / PID).write_text(json.dumps(state))
        self._child = child
        self._await(lambda: child.poll() is not None)

    def reload(self, digest: str) -> None:
        """Take haproxy.cfg anew: new connections meet the new configuration, old ones end in peace."""
        pid = self.pid
        if pid is None:
            raise BalancerError("the balancer's HAProxy does not run")
        try:
            (self.folder / STATES).write_text(self.command("show servers state"))
        except OSError:
            (self.folder / STATES).write_text("1\n")
        before = self._worker()
        self._await(lambda: self.pid is None, digest, lambda: os.kill(pid, signal.SIGUSR2))
        # both workers share the listening sockets until the old one lets go: only then is the new one alone
        deadline = time.monotonic() + START_SECONDS
        while before and open_sockets(before) & listening() and time.monotonic() < deadline:
            time.sleep(0.02)

    def _await(
        self, gone: Callable[[], bool], digest: str | None = None, ask: Callable[[], None] = lambda: None
    ) -> None:
        """Ask, and wait until the worker serves the configuration. Raises BalancerError when it never does."""
        asked, deadline = -AGAIN_SECONDS, time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if gone():
                break
            if time.monotonic() - asked > AGAIN_SECONDS:
                asked = time.monotonic()
                ask()
            shown = self.described()
            if shown is not None and (digest is None or shown == digest):
                return
            time.sleep(0.03)
        said = (self.folder / ERRORS).read_text(errors="replace").strip().splitlines()[-8:]
        raise BalancerError("HAProxy did not take its configuration:\n" + "\n".join(said))

    def _worker(self) -> int | None:
        """Process id of the worker that serves now."""
        try:
            answer = self.command("show info")
        except OSError:
            return None
        found = [line.split()[1] for line in answer.splitlines() if line.startswith("Pid:")]
        return int(found[0]) if found else None

    def described(self) -> str | None:
        """Digest of the configuration the worker serves, None when it does not answer."""
        try:
            answer = self.command("show info")
        except OSError:
            return None
        for line in answer.splitlines():
            if line.lower().startswith("description:"):
                return line.split(":", 1)[1].strip()
        return None

    def command(self, text: str) -> str:
        """Send one command to the worker's stats socket and return the answer. Raises OSError."""
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                # by way of the open folder: the path itself may be longer than a socket's may be
                connection.connect(f"/proc/self/fd/{folder}/{STATS}")
                connection.sendall(text.encode() + b"\n")
                answer = b""
                while chunk := connection.recv(65536):
                    answer += chunk
        finally:
            os.close(folder)
        return answer.decode(errors="replace")

    def stop(self) -> None:
        """End the master and its workers; no matter if none runs."""
        pid = self.pid
        if pid is not None:
            _end(pid)
        child = getattr(self, "_child", None)
        if child is not None:
            child.poll()
        for name in (PID, STATS):
            (self.folder / name).unlink(missing_ok=True)


def _end(pid: int) -> None:
    """SIGTERM to the master's process group (it is a session of its own), SIGKILL to what is left after 5 s."""
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not _group_lives(pid):
                return
            time.sleep(0.03)


def _group_lives(group: int) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                return True
    return False


def _binary() -> str:
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BalancerError("haproxy is not installed: the rehearsal's load balancer needs it (make setup)")
    return found


def _start_time(pid: int) -> str:
    """Start time of a process in clock ticks after boot, "" when it does not run (proc(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
