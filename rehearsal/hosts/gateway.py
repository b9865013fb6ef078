"""What a VPC's gateway offers to the hosts: instance metadata, and a proxy to package mirrors.

    python -m rehearsal.hosts.gateway STATE_FOLDER

One process serves all VPCs. The supervisor writes `gateway-hosts.json` into the folder; it is read again when it
changes, and listeners come and go with the gateways named there.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.accounts import AccountSession
from rehearsal.hosts import metadata, mirror_proxy
from rehearsal.hosts.firewall import METADATA_PORT, PROXY_PORT

STATE = "gateway-hosts.json"
"""{"gateways": [address…], "mirrors": [host…], "account": text that changes with the account process,
"hosts": {address: host}}."""
CREDENTIAL_SECONDS = 3600
REFRESH_SECONDS = 600
log = logging.getLogger("rehearsal.gateway")


class Roles:
    """Credentials of the hosts' roles, got by AssumeRole and kept until ten minutes before they lapse."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], tuple[float, dict[str, str]]] = {}
        self._sessions: dict[tuple[str, str], AccountSession] = {}
        self._lock = threading.Lock()

    def credentials(self, host: Mapping[str, Any], account: str) -> dict[str, str]:
        """Credentials for `host`; `account` names the account process, since those of an earlier one are void."""
        key = (host["instance_id"], host["role_arn"], account)
        with self._lock:
            ends, kept = self._kept.get(key, (0.0, {}))
            if ends - time.time() > REFRESH_SECONDS:
                return kept
            session = self._sessions.setdefault(
                (host["account_id"], account), AccountSession(host["account_id"], host["region"])
            )
            given = session.client("sts").assume_role(
                RoleArn=host["role_arn"], RoleSessionName=host["instance_id"], DurationSeconds=CREDENTIAL_SECONDS
            )["Credentials"]
            ends = time.time() + CREDENTIAL_SECONDS
            kept = {name: given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}
            kept["Expiration"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
            self._kept[key] = (ends, kept)
            return kept


class Gateway:
    """All listeners, following the state file."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / STATE
        self._seen: tuple[int, int] = (0, 0)
        self.state: dict[str, Any] = {"gateways": [], "mirrors": [], "hosts": {}, "account": ""}
        self._servers: dict[tuple[str, int], ThreadingHTTPServer] = {}
        self._roles = Roles()
        self._handlers: dict[int, type[BaseHTTPRequestHandler]] = {
            METADATA_PORT: type(
                "Metadata",
                (metadata.Handler,),
                {
                    "hosts": staticmethod(lambda: self.state["hosts"]),
                    "tokens": metadata.Tokens(os.urandom(32)),
                    "credentials": staticmethod(lambda host: self._roles.credentials(host, self.state["account"])),
                },
            ),
            PROXY_PORT: type(
                "Mirrors",
                (mirror_proxy.Handler,),
                {"allowed": staticmethod(lambda: frozenset(self.state["mirrors"]))},
            ),
        }

    def follow(self) -> None:
        """Read the state file if it changed, and open and close listeners accordingly."""
        try:
            stat = self._file.stat()
            if (stat.st_mtime_ns, stat.st_ino) != self._seen:
                self.state = json.loads(self._file.read_text())
                self._seen = (stat.st_mtime_ns, stat.st_ino)
                threading.Thread(target=self._prepare, args=(self.state,), daemon=True, name="credentials").start()
        except (OSError, ValueError) as problem:
            log.error("%s: %s", self._file, problem)
            return
        wanted = {(address, port) for address in self.state["gateways"] for port in self._handlers}
        for gone in set(self._servers) - wanted:
            server = self._servers.pop(gone)
            server.shutdown()
            server.server_close()
        for address, port in wanted - set(self._servers):
            self._open(address, port)

    def _prepare(self, state: Mapping[str, Any]) -> None:
        """Have the hosts' credentials before they ask, as on AWS: an SDK waits for them one second, once."""
        for host in state["hosts"].values():
            if not host.get("role_arn"):
                continue
            try:
                self._roles.credentials(host, state["account"])
            except (BotoCoreError, ClientError) as problem:  # whoever asks is told
                log.info("credentials of %s: %s", host["instance_id"], problem)

    def _open(self, address: str, port: int) -> None:
        try:
            server = _Server((address, port), self._handlers[port])
        except OSError as problem:
            log.error("cannot listen on %s:%s: %s", address, port, problem)
            return
        self._servers[(address, port)] = server
        threading.Thread(target=server.serve_forever, daemon=True, name=f"{address}:{port}").start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self) -> None:
        """Without looking up the name of the own address, which takes long without a resolver."""
        self.socket.setsockopt(1, 2, 1)  # SO_REUSEADDR
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A host that hangs up is nothing to write about."""
        log.debug("request of %s", client_address, exc_info=True)


def main(folder: Path) -> int:
    """Serve until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    gateway = Gateway(folder)
    while not ended.wait(0.3):
        gateway.follow()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
