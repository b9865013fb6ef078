"""Ports of this machine that a rehearsal needs: who has them, and what to do about it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rehearsal.balancer.addresses import BalancerError, check_free, holder

LISTEN = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as listening:
    print(listening.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def test_a_free_port_is_free():
    check_free("127.0.0.1:0")
    assert holder("127.0.0.1", 0) is None


def test_the_rehearsal_of_another_checkout_is_named_with_what_ends_it(tmp_path):
    other = tmp_path / "other"
    (other / "rehearsal").mkdir(parents=True)
    (other / "runner.py").touch()
    command = [sys.executable, "-c", LISTEN]
    with subprocess.Popen(command, cwd=other, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        port = process.stdout.readline().strip()
        with pytest.raises(BalancerError, match=rf":{port} is taken .* another checkout, {other}: .*`make destroy`"):
            check_free(f"127.0.0.1:{port}")
        process.stdin.close()
