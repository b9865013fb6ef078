"""The process that serves the emulated account's API.

    python -m rehearsal.aws.server --host 127.0.0.1 --port 4566

Beside AWS's API it answers below `/_rehearsal/` what has no counterpart on AWS: readiness, and target health
reported by the balancer. The account lives in this process's memory: when it ends, the account is empty.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

# moto reads its settings when it is imported.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")

from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from rehearsal.aws import calls, version
from rehearsal.aws.lock import LOCK

Start = Callable[..., Any]
Environ = dict[str, Any]

log = logging.getLogger("rehearsal.aws")
KEEP_UP_SECONDS = 60
KEPT_ANSWERS = 512


class Account:
    """The WSGI application: moto behind one lock, and the routes of the rehearsal.

    moto's state is plain dictionaries that its handlers iterate over while others change them. Terraform, Ansible,
    the hosts and the supervisor call at the same time, so one request is handled at a time. Bodies are read before
    and responses are sent after, outside the lock: a slow client holds nobody up.
    """

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._answers = _Answers()
        # From where no account that was there before has counted to: the supervisor compares what it knows with it.
        self._changes = time.monotonic_ns()

    def keep_up(self) -> None:
        """Do in the background what AWS does without being asked."""
        threading.Thread(target=self._keep_up, name="keep-up", daemon=True).start()

    def _keep_up(self) -> None:
        from rehearsal.aws import acmpca

        while True:
            time.sleep(KEEP_UP_SECONDS)
            try:
                with LOCK:
                    acmpca.renew_crls()
            except Exception:
                log.exception("renewing revocation lists")

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        _read_body(environ)
        path = environ.get("PATH_INFO", "")
        with LOCK:
            if path.startswith("/_rehearsal/"):
                return _rehearsal_route(path, environ, start_response, self._changes)
            self._changes += calls.may_change(environ)
            return self._answers.once(environ, start_response, self._moto)


class _Answers:
    """What was answered to calls that change something, by the id that an SDK gives all attempts of one call.

    Where an answer is lost on the way (it is on a busy machine), the SDK asks again, and a call that AWS guards by no
    token of its own would be done twice, or fail because it was done.
    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[str, list[tuple[str, str]], list[bytes]]] = OrderedDict()

    def once(self, environ: Environ, start_response: Start, application: Any) -> Iterable[bytes]:
        """The application's answer, or the one that it gave to an earlier attempt."""
        call = str(environ.get("HTTP_AMZ_SDK_INVOCATION_ID", "")) if environ["REQUEST_METHOD"] == "POST" else ""
        if call in self._known:
            status, headers, body = self._known[call]
            start_response(status, headers)
            return body
        begun: list[tuple[str, list[tuple[str, str]]]] = []

        def begin(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            begun.append((status, headers))
            return start_response(status, headers, *more)

        body = list(_complete(application(environ, begin)))
        if call and begun and begun[-1][0].startswith("2"):
            self._known[call] = (*begun[-1], body)
            if len(self._known) > KEPT_ANSWERS:
                self._known.popitem(last=False)
        return body


def _read_body(environ: Environ) -> None:
    """Replace the request's stream by its content, so that handling it never waits for the client."""
    stream = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        body = stream.read(int(length))
    elif environ.get("wsgi.input_terminated"):
        body = stream.read()
        environ["CONTENT_LENGTH"] = str(len(body))
    else:
        return
    environ["wsgi.input"] = io.BytesIO(body)


def _complete(response: Iterable[bytes]) -> Iterable[bytes]:
    """Collect a response, which may still be computing, while the lock is held."""
    try:
        return list(response)
    finally:
        close = getattr(response, "close", None)
        if close:
            close()


def _rehearsal_route(path: str, environ: Environ, start_response: Start, changes: int) -> Iterable[bytes]:
    from rehearsal.aws import elbv2, trust_stores

    method = environ["REQUEST_METHOD"]
    if path == "/_rehearsal/ready" and method == "GET":
        return _json(start_response, {"ready": True, "moto": version.MOTO, "changes": changes})
    if path == "/_rehearsal/target-health" and method == "POST":
        try:
            elbv2.report_target_health(json.loads(environ["wsgi.input"].read()))
        except (KeyError, TypeError, ValueError) as problem:
            return _json(start_response, {"error": f"target-health: {problem!r}"}, "400 Bad Request")
        return _json(start_response, {})
    if path.startswith(trust_stores.DOWNLOADS) and method == "GET":
        content = trust_stores.download(path)
        if content is not None:
            start_response("200 OK", [("Content-Type", "application/octet-stream"), _length(content)])
            return [content]
    return _json(start_response, {"error": f"nothing at {method} {path}"}, "404 Not Found")


def _json(start_response: Start, value: Any, status: str = "200 OK") -> Iterable[bytes]:
    body = json.dumps(value).encode()
    start_response(status, [("Content-Type", "application/json"), _length(body)])
    return [body]


def _length(body: bytes) -> tuple[str, str]:
    return "Content-Length", str(len(body))


class _QuietHandler(MotoRequestHandler):
    """Logs no request lines; failures of the emulation are logged by `log_failures`."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        if str(code).startswith("5"):
            log.error("%s %s answered %s", self.command, self.path, code)


def application() -> Account:
    """Check moto's version, apply every mend and return the application.

    Raises version.WrongMotoError when another moto is installed.
    """
    version.check()
    from rehearsal.aws import mends

    mends.apply()
    return Account()


def serve(host: str, port: int) -> BaseWSGIServer:
    """Bind a server for `serve_forever`, one thread a connection; port 0 takes a free one, `.port` tells which."""
    account = application()
    account.keep_up()
    return make_server(host, port, account, threaded=True, request_handler=_QuietHandler)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m rehearsal.aws.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4566)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        server = serve(chosen.host, chosen.port)
    except version.WrongMotoError as problem:
        print(problem, file=sys.stderr)
        return 3
    except OSError as problem:
        print(f"cannot listen on {chosen.host}:{chosen.port}: {problem}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"account API on http://{chosen.host}:{server.port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
