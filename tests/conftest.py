"""What every test may use: throwaway CAs, and skipping what this machine can't run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.pki import Authority

ROOT = Path(__file__).resolve().parent.parent
# What needs the machine's one rehearsal, or its network as it is: root, and one at a time.
HOSTS = ("tests/e2e/", "tests/integration/hosts/", "tests/molecule/", "tests/unit/balancer/test_balancer_addresses.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several workers (`make test`) one has all that needs hosts, from the start, since that takes longest; the
    others share the rest by file.
    """
    from xdist.scheduler import LoadScopeScheduling

    class HostsTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "hosts" if nodeid.startswith(HOSTS) else nodeid.split("::")[0]

    return HostsTogether(config, log)


@pytest.hookimpl(trylast=True)  # after the folders' own conftest files have set their marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With one worker slow, shared things come last, so that a small mistake shows first. Hosts need root."""
    items.sort(key=lambda item: item.nodeid.startswith(HOSTS), reverse="PYTEST_XDIST_WORKER" in os.environ)
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
