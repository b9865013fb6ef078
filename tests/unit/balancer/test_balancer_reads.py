"""How often the balancer asks an account what its load balancers are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rehearsal.balancer import readings
from rehearsal.balancer.readings import READ_SECONDS, UNCHANGED_SECONDS
from rehearsal.balancer.reconciler import Balancer
from tests.support.clock import Clock


class Account:
    def __init__(self, account_id: str, _session: object) -> None:
        self.account_id = account_id
        self.reads = 0

    def balancers(self) -> list[Any]:
        self.reads += 1
        return []


@pytest.mark.parametrize(
    ("first", "then", "seconds", "reads"),
    [
        (7, 7, UNCHANGED_SECONDS - 1, 1),
        (7, 7, UNCHANGED_SECONDS + 1, 2),
        (7, 8, READ_SECONDS - 1, 1),
        (7, 8, READ_SECONDS + 1, 2),
        (None, None, READ_SECONDS + 1, 2),
    ],
    ids=["nothing changed", "not asked for long", "changed just now", "changed", "changes are not counted"],
)
def test_an_account_is_read_again_when_something_was_changed_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, first: int | None, then: int | None, seconds: float, reads: int
) -> None:
    clock, account = Clock(100.0).rule(monkeypatch, readings), Account("111122223333", None)
    monkeypatch.setattr(readings, "Account", lambda *_: account)
    balancer = Balancer(tmp_path)
    balancer.reconcile({account.account_id: object()}, [], calls=first)  # type: ignore[dict-item]
    clock.now += seconds
    balancer.reconcile({account.account_id: object()}, [], calls=then)  # type: ignore[dict-item]
    assert account.reads == reads
