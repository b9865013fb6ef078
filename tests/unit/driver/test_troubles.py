"""What keeps a rehearsal from doing its part is told while a run waits for it."""

from __future__ import annotations

import threading

import pytest

from driver import troubles
from driver.ansible_events import Failure, Outcome
from driver.errors import DriverError, Interrupted, Refused
from driver.run import Stage
from driver.stages import hosts
from driver.target import Aws
from tests.unit.driver.fakes import fake_run


class Broken(Aws):
    """An account with problems that come and go."""

    kind = "rehearsal"
    disposable = True

    def __init__(self, **found: str) -> None:
        self.found = found

    def problems(self) -> dict[str, str]:
        return dict(self.found)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(troubles, "LOOK", 0.01)


def test_a_problem_is_told_once_while_it_lasts_and_again_when_it_comes_back():
    account, said, heard = Broken(hosts="no image"), [], threading.Semaphore(0)

    def tell(text: str) -> None:
        said.append(text)
        heard.release()

    with troubles.told(account, tell):
        assert heard.acquire(timeout=10)
        account.found = {"hosts": "no network"}
        assert heard.acquire(timeout=10)
        account.found = {"hosts": "no image"}
        assert heard.acquire(timeout=10)
    assert said == ["rehearsal: hosts: no image", "rehearsal: hosts: no network", "rehearsal: hosts: no image"]


def test_the_error_of_a_wait_says_why_and_keeps_its_code_and_fix():
    def fail(account: Broken) -> None:
        with troubles.told(account, lambda _text: None):
            raise Refused("no hosts", "look there")

    with pytest.raises(Refused, match=r"no hosts\n  rehearsal: hosts: no image") as error:
        fail(Broken(hosts="no image"))
    assert error.value.fix == "look there"
    with pytest.raises(Refused, match=r"^no hosts$"):
        fail(Broken())


def test_a_wait_that_somebody_interrupts_ends_as_interrupted():
    with pytest.raises(Interrupted), troubles.told(Broken(hosts="no image"), lambda _text: None):
        raise Interrupted


def test_hosts_that_can_not_be_reached_come_with_what_the_rehearsal_says(tmp_path):
    run, _ = fake_run(tmp_path)
    run.connector = Broken(networks="10.20.0.0/16 is taken")
    run.ansible.outcomes["wait-for-hosts.yml"] = Outcome(failures=[Failure("i-nifi", "Wait", "timed out")], code=2)
    with pytest.raises(DriverError, match=r"(?s)i-nifi: Wait: timed out.*networks: 10.20.0.0/16 is taken"):
        hosts.run(run, Stage())
