"""One emulated account for all tests of the driver; each test gets a checkout of its own."""

from __future__ import annotations

import socket

import pytest

from tests.integration.driver.emulated import Emulated


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def account():
    emulated = Emulated(free_port())
    yield emulated
    emulated.stop()
