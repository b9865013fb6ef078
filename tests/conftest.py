"""What every test may use: throwaway CAs, and skipping what this machine can't run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.pki import Authority

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(trylast=True)  # after the folders' own conftest files have set their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hosts need root. Slow, shared things come last, so that a small mistake shows first."""
    order = {"molecule": 1, "e2e": 2}
    items.sort(key=lambda item: max((order.get(mark.name, 0) for mark in item.iter_markers()), default=0))
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="real hosts need root")
    for item in items:
        if item.get_closest_marker("e2e") or item.get_closest_marker("molecule"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A throwaway CA that signs servers and clients."""
    return Authority("Test CA")


@pytest.fixture(scope="session")
def other_authority() -> Authority:
    """Another one, that nobody trusts."""
    return Authority("Other CA")
