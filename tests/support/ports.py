"""Ports for servers of tests."""

from __future__ import annotations

import itertools
import os
import socket

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 3
# Below those that Linux gives to connections and to whoever asks for any (32768 and up), and each worker its own.
_RANGE = range(20_000 + 4_000 * _WORKER, 24_000 + 4_000 * _WORKER)
# (From a place of this process's own: another suite may run beside this one.)
_PORTS = itertools.islice(itertools.cycle(_RANGE), os.getpid() * 37 % len(_RANGE), None)


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nothing listens at, and that no other call is given for long: a server may take it minutes later."""
    for port in itertools.islice(_PORTS, len(_RANGE)):
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:
                continue
            return port
    raise AssertionError(f"no free port at {address}")
