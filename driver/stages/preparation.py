"""Beside stage 3: the hosts of a new environment are prepared while Terraform still waits for balancer and database.

By then stage configuration has little left to do. It does everything all the same: what fails here costs time only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from driver import ansible, fleets, playbooks
from driver.errors import Interrupted
from driver.run import Run
from driver.stages import hosts

PARAMETER = "module.platform.aws_ssm_parameter.preparation"
GROUP = ".aws_autoscaling_group."
DOCUMENT = "preparation"
VARIABLES = {"platform_document": DOCUMENT, "nifi_serial": "100%", "airflow_serial": "100%"}  # nobody is served yet
TAGS, SKIPPED = ("node_base", "nifi", "airflow_install"), ("edge", "nifi_wait")
"""Of the playbooks of stage configuration: what needs no database, and no balancer that sends anybody. NiFi starts
meanwhile.
"""


@contextmanager
def beside(run: Run) -> Iterator[Callable[[str, str], None]]:
    """The time of an apply. Yields the function that is told address and action of each resource that was done.

    What was begun is at its end afterwards. When the apply fails, nothing more begins.
    """
    ended = threading.Event()
    created: set[str] = set()
    begun: list[Future[None]] = []
    with ThreadPoolExecutor(1, "preparation") as pool:

        def applied(address: str, action: str) -> None:
            if action == "create":
                created.add(address)
            if (address, action) == (PARAMETER, "create") and _wanted(run, created):
                begun.append(pool.submit(_prepare, run, ended.is_set))

        try:
            yield applied
        except BaseException:
            ended.set()
            raise
    for future in begun:
        _tell(run, future)


def _wanted(run: Run, created: set[str]) -> bool:
    """Only for hosts that this apply has made, and not when somebody chose parts of the run."""
    options = run.options
    chosen = options.tags or options.limit or (options.only and not {"hosts", "configuration"} <= set(options.only))
    return not chosen and any(GROUP in address for address in created)


def _prepare(run: Run, ended: Callable[[], bool]) -> None:
    """:raises DriverError: with what failed"""
    document = run.account.platform(run.env, DOCUMENT)
    if document is None or run.account.platform(run.env) is not None:
        return  # an environment that serves gets a group of hosts more
    run.progress.line("    hosts are being made: they are prepared while Terraform goes on")
    found = fleets.of(document)
    hosts.wait_for_groups(run, found, ended)
    if ended():
        return
    expected = {"expected_groups": [fleet.name for fleet in found], "platform_document": DOCUMENT}
    outcome = run.ansible.beside(ended).run("wait-for-hosts.yml", expected, fresh_inventory=True)
    if not outcome.ok:
        raise ansible.failed("wait-for-hosts.yml", outcome, run.project.shown(playbooks.log(run, "wait-for-hosts.yml")))
    if ended():
        return
    # To its end, whatever becomes of the apply: packages that are cut off in the middle need somebody's hands.
    names = [f"configure-{fleet.name}.yml" for fleet in found]
    by = run.ansible.beside()
    done = playbooks.play_together(run, names, by=by, variables=VARIABLES, tags=TAGS, skip_tags=SKIPPED)
    run.progress.line(f"    hosts are prepared: {playbooks.changed(done)}")


def _tell(run: Run, future: Future[None]) -> None:
    try:
        future.result()
    except Interrupted:
        return  # the run says so itself
    except Exception as error:
        text = f"    hosts could not be prepared yet, stage configuration tries again: {error}"
        run.progress.line(text, "yellow")
