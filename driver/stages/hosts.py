"""Stage 4: the hosts that Terraform asked for are there, can be reached, and have finished their first boot."""

from __future__ import annotations

import time
from collections.abc import Callable

from driver import ansible, fleets, people, playbooks, troubles
from driver.errors import DriverError
from driver.run import Run, Stage

PATIENCE = 900.0  # seconds until the Auto Scaling groups have their instances
LOOK = 2.0


def run(run: Run, stage: Stage) -> None:
    found = fleets.of(run.platform)
    with troubles.told(run.connector, lambda text: run.progress.line(f"    {text}", "yellow")):
        serving = wait_for_groups(run, found)
        outcome = run.ansible.run(
            "wait-for-hosts.yml", {"expected_groups": [fleet.name for fleet in found]}, fresh_inventory=True
        )
        if not outcome.ok:
            log = run.project.shown(playbooks.log(run, "wait-for-hosts.yml"))
            raise ansible.failed("wait-for-hosts.yml", outcome, log)
    run.record.nodes = [
        {"role": fleet.name, **node} for fleet in found for node in run.account.running(serving[fleet.name])
    ]
    _tell_outdated(run, found)
    stage.detail = people.hosts_line(run.record.nodes)


def _tell_outdated(run: Run, found: list[fleets.Fleet]) -> None:
    """A host stays as it was launched: a new type, volume or image is for those that come after it."""
    for name in (name for fleet in found for name in fleet.groups):
        if old := run.account.outdated(name):
            said = "launched before its launch template changed (docs/on-aws.md, Replacing hosts)"
            run.progress.line(f"    {name}: {', '.join(old)} {said}", "yellow")


def wait_for_groups(
    run: Run, wanted: list[fleets.Fleet], ended: Callable[[], bool] = lambda: False
) -> dict[str, list[str]]:
    """The instances of each fleet, once every Auto Scaling group has in service all that it wants.

    :param ended: nobody waits for them any more
    :raises DriverError: a group wants none, or does not get them in time
    """
    deadline, told = time.monotonic() + PATIENCE, ""
    while True:
        seen = {name: run.account.group(name) for fleet in wanted for name in fleet.groups}
        short = _short(seen, wanted)
        if not short or ended():
            return {fleet.name: [i for name in fleet.groups for i in seen[name][1]] for fleet in wanted}
        shown = ", ".join(f"{name} has {len(seen[name][1])} of {seen[name][0]}" for name in short)
        if time.monotonic() > deadline:
            raise DriverError(
                f"Auto Scaling groups lack hosts after {PATIENCE:.0f} s: {shown}",
                f"see why: aws autoscaling describe-scaling-activities --auto-scaling-group-name {short[0]}",
            )
        if shown != told:
            run.progress.note(f"hosts in service: {shown}")
            told = shown
        run.processes.check_interrupted()
        time.sleep(LOOK)


def _short(seen: dict[str, tuple[int, list[str]]], wanted: list[fleets.Fleet]) -> list[str]:
    """The groups that have fewer hosts than they want. :raises DriverError: one wants none"""
    for fleet in wanted:
        for name in fleet.groups:
            if not seen[name][0]:
                raise DriverError(
                    f"the Auto Scaling group {name} wants no hosts",
                    f"set the desired capacity of {fleet.name} in sizing.auto.tfvars, then run again",
                )
    return [name for name, (desired, serving) in seen.items() if len(serving) < desired]
