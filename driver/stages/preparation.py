"""Beside stage 3: the hosts of a new environment are prepared while Terraform still waits for balancer and database.

By then stage configuration has little left to do. It does everything all the same: what fails here costs time only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

from driver import ansible, fleets, playbooks
from driver.errors import DriverError, Interrupted
from driver.run import Run

PARAMETER = "module.platform.aws_ssm_parameter.preparation"
DOCUMENT = "preparation"
VARIABLES = {"platform_document": DOCUMENT, "nifi_serial": "100%", "airflow_serial": "100%"}  # nobody is served yet
TAGS, SKIPPED = ("node_base", "nifi", "airflow_install"), ("edge", "nifi_wait")
"""Of the playbooks of stage configuration: what needs no database, and no balancer that sends anybody. NiFi starts
meanwhile.
"""


@contextmanager
def beside(run: Run) -> Iterator[Callable[[str, str], None]]:
    """The time of an apply. Yields the function that is told address and action of each resource that was done.

    What was begun is at its end afterwards; it is cut short when the apply fails.
    """
    cancelled = threading.Event()
    begun: list[Future[None]] = []
    with ThreadPoolExecutor(1, "preparation") as pool:

        def applied(address: str, action: str) -> None:
            if address == PARAMETER and action == "create" and _wanted(run):
                begun.append(pool.submit(_prepare, run, cancelled.is_set))

        try:
            yield applied
        except BaseException:
            cancelled.set()
            raise
    for future in begun:
        _tell(run, future)


def _wanted(run: Run) -> bool:
    """Only where nobody is served yet, and not when somebody chose parts of the run."""
    options = run.options
    chosen = options.tags or options.limit or (options.only and not {"hosts", "configuration"} <= set(options.only))
    return not chosen and run.account.platform(run.env) is None


def _prepare(run: Run, cancelled: Callable[[], bool]) -> None:
    """:raises DriverError: with what failed"""
    aside = run.ansible.beside(cancelled)
    found = fleets.of(run.account.platform(run.env, DOCUMENT) or {})
    run.progress.line("    hosts are there: they are prepared while Terraform goes on")
    expected = {"expected_groups": [fleet.name for fleet in found], "platform_document": DOCUMENT}
    outcome = aside.run("wait-for-hosts.yml", expected, fresh_inventory=True)
    if not outcome.ok:
        raise ansible.failed("wait-for-hosts.yml", outcome, run.project.shown(playbooks.log(run, "wait-for-hosts.yml")))
    names = [f"configure-{fleet.name}.yml" for fleet in found]
    done = playbooks.play_together(run, names, by=aside, variables=VARIABLES, tags=TAGS, skip_tags=SKIPPED)
    run.progress.line(f"    hosts are prepared: {playbooks.changed(done)}")


def _tell(run: Run, future: Future[None]) -> None:
    with suppress(Interrupted):  # who interrupted is told by the run
        try:
            future.result()
        except DriverError as error:
            text = f"    hosts could not be prepared yet, stage configuration tries again: {error.message}"
            run.progress.line(text, "yellow")
