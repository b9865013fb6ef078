"""One emulated account for all tests of the driver; each test gets a checkout of its own."""

from __future__ import annotations

import pytest

from tests.integration.driver.emulated import Emulated
from tests.support.ports import free_port


@pytest.fixture
def account():
    emulated = Emulated(free_port())
    yield emulated
    emulated.stop()
