"""One emulated account for all tests of the driver; each test gets a checkout of its own."""

from __future__ import annotations

import os
import sys

import pytest

from tests.integration.driver import small
from tests.integration.driver.emulated import Emulated
from tests.integration.driver.runner import Runner


@pytest.fixture
def account():
    emulated = Emulated()
    yield emulated
    emulated.stop()


@pytest.fixture
def run(tmp_path, account, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    return Runner(small.make(tmp_path), account, capsys)
