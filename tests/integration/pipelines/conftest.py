"""One emulated account and one NiFi for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.pipelines.nifi_server import Nifi, java_home
from tests.integration.pipelines.storage import Storage, emulated
from tests.support.pki import Authority


@pytest.fixture(scope="session")
def storage() -> Iterator[Storage]:
    with emulated() as storage:
        yield storage


@pytest.fixture(scope="session")
def nifi(storage: Storage, authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nifi]:
    if java_home() is None:
        pytest.skip("NiFi needs Java 21 or newer: install one below /usr/lib/jvm, or set JAVA_HOME")
    server = Nifi(tmp_path_factory.mktemp("nifi"), authority, storage.environment)
    server.start()
    yield server
    server.kill()
