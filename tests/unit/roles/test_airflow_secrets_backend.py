"""Airflow's options are asked of Secrets Manager once in some minutes, whoever reads them."""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Clock

FILES = Path(__file__).parents[3] / "collections/ansible_collections/dataplatform/aws/roles/airflow/files"
AWS = "airflow.providers.amazon.aws.secrets.secrets_manager"


class Store:
    """Stands for AWS's backend: what is asked of it, and what it answers."""

    asked: list[str]
    values: dict[str, str]

    def get_config(self, key: str) -> str | None:
        self.asked.append(key)
        return self.values.get(key)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    names = AWS.split(".")
    for depth in range(1, len(names) + 1):
        monkeypatch.setitem(sys.modules, ".".join(names[:depth]), types.ModuleType(names[depth - 1]))
    sys.modules[AWS].SecretsManagerBackend = Store  # type: ignore[attr-defined]
    Store.asked, Store.values = [], {"fernet_key": "one"}
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.delitem(sys.modules, "dataplatform_airflow.secrets_backend", raising=False)
    return importlib.import_module("dataplatform_airflow.secrets_backend")


def test_an_option_is_asked_for_once_for_all_backends_of_a_process(
    module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(1000.0).rule(monkeypatch, module)
    assert [module.OptionsKeptBackend().get_config("fernet_key") for _ in range(3)] == ["one"] * 3
    assert Store.asked == ["fernet_key"]
    Store.values["fernet_key"] = "two"
    clock.now += module.KEPT_SECONDS
    assert module.OptionsKeptBackend().get_config("fernet_key") == "two"


def test_what_is_not_there_is_looked_for_again(module: Any) -> None:
    assert module.OptionsKeptBackend().get_config("jwt_secret") is None
    Store.values["jwt_secret"] = "made since"
    assert module.OptionsKeptBackend().get_config("jwt_secret") == "made since"
