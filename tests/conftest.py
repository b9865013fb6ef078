"""What every test may use: throwaway CAs, and skipping what this machine can't run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.pki import Authority

ROOT = Path(__file__).resolve().parent.parent
HOSTS = "hosts"
HOST_FOLDERS = ("e2e", "integration/hosts", "molecule")


@pytest.hookimpl(tryfirst=True)  # pytest-xdist reads the groups in a hook of the same name
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hosts need root, and share the machine's one rehearsal: with several workers (`make test`) one of them has them
    all, from the start, since they mostly wait; the others share the rest by file. With one worker they come last, so
    that a small mistake shows first.
    """
    several = bool(getattr(config.option, "dist", "no") != "no" or os.environ.get("PYTEST_XDIST_WORKER"))
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(HOSTS if _on_hosts(item) else str(item.path)))
    items.sort(key=_on_hosts, reverse=several)
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="real hosts need root")
    for item in items:
        if _on_hosts(item):
            item.add_marker(skip)


def _on_hosts(item: pytest.Item) -> bool:
    return any(item.path.is_relative_to(ROOT / "tests" / folder) for folder in HOST_FOLDERS)


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
