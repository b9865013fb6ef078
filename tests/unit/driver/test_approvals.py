"""Who is asked, and what a no leaves behind."""

from __future__ import annotations

import contextlib

import pytest

from driver import approval, state
from driver.errors import Refused
from driver.terraform_events import Outcome
from tests.unit.driver.fakes import fake_run

MADE = Outcome({"create": 2, "update": 0, "delete": 0, "replace": 0}, applied=[("aws_s3_bucket.state", "create")])


@pytest.fixture
def terminal(monkeypatch):
    """Somebody who answers with a word."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    return lambda word: monkeypatch.setattr("builtins.input", lambda _: word)


def test_a_no_says_how_to_say_yes(tmp_path, terminal):
    run, _ = fake_run(tmp_path)
    terminal("prod")
    with pytest.raises(Refused, match="destroy 4 resources: not approved") as refused:
        approval.confirm(run, "destroy 4 resources", [], "python runner.py --env dev destroy --yes")
    assert refused.value.fix == (
        "when it is as it should be, run again and type dev, or: python runner.py --env dev destroy --yes"
    )
    terminal("dev")
    approval.confirm(run, "destroy 4 resources", [], "")


@pytest.mark.parametrize(("changes", "said"), [(MADE.changes, "2 created"), (Outcome().changes, None)])
def test_a_refused_environment_says_that_its_account_was_prepared(tmp_path, monkeypatch, changes, said):
    run, _ = fake_run(tmp_path)
    run.options = type(run.options)("dev", yes=True)

    class Terraform:
        def apply(self, plan):
            return MADE

        def outputs(self):
            return {"state_key_arn": "arn:key"}

    @contextlib.contextmanager
    def planned(run):
        yield Terraform(), tmp_path, Outcome(changes)

    monkeypatch.setattr(state, "_planned", planned)
    monkeypatch.setattr(state, "_fingerprint", lambda run: "now")
    monkeypatch.setattr(state, "_move", lambda *_: None)
    monkeypatch.setattr(state, "applied", lambda run: {"sources": "before", "state_key_arn": "arn:key"})
    monkeypatch.setattr(run.account, "bucket_key", lambda name: "arn:key", raising=False)
    monkeypatch.setattr(run.account, "put_object", lambda *_: True, raising=False)
    with pytest.raises(Refused, match="not approved") as refused, state.bootstrapped(run):
        raise Refused("not approved", "type it")
    assert refused.value.fix == "type it"
    expected = "; the account's state bucket and key were prepared before (2 created), and stay" if said else ""
    assert refused.value.message == f"not approved{expected}"
    assert run.record.changed[0]["stage"] == "bootstrap"
