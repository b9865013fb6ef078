"""One emulated account for all tests of the driver; each test gets a checkout of its own."""

from __future__ import annotations

import pytest

from tests.integration.driver.emulated import Emulated


@pytest.fixture
def account():
    emulated = Emulated()
    yield emulated
    emulated.stop()
