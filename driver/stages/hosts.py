"""Stage 4: the hosts that Terraform asked for are there, can be reached, and have finished their first boot."""

from __future__ import annotations

import time

from driver import ansible
from driver.errors import DriverError
from driver.run import Run, Stage

PATIENCE = 900.0  # seconds until an Auto Scaling group has its instances
LOOK = 2.0


def run(run: Run, stage: Stage) -> None:
    ids = _wait_for_group(run)
    outcome = run.ansible.run("wait-for-hosts.yml", fresh_inventory=True)
    if not outcome.ok:
        raise ansible.failed("wait-for-hosts.yml", outcome, f"{run.folder}/logs/wait-for-hosts.log")
    run.record.nodes = run.account.running(ids)
    stage.detail = ", ".join(f"{node['instance_id']} ({node['private_ip']})" for node in run.record.nodes)


def _wait_for_group(run: Run) -> list[str]:
    """The instances of the NiFi group, once all it wants are in service.

    :raises DriverError: it wants none, or does not get them in time
    """
    name = run.platform["nifi"]["asg_name"]
    deadline = time.monotonic() + PATIENCE
    while True:
        desired, serving = run.account.group(name)
        if desired and len(serving) >= desired:
            return serving
        if not desired:
            raise DriverError(
                f"the Auto Scaling group {name} wants no hosts",
                "set nifi.desired in sizing.auto.tfvars, then run again",
            )
        if time.monotonic() > deadline:
            raise DriverError(
                f"the Auto Scaling group {name} has {len(serving)} of {desired} hosts after {PATIENCE:.0f} s",
                f"see why: aws autoscaling describe-scaling-activities --auto-scaling-group-name {name}",
            )
        run.progress.note(f"{len(serving)} of {desired} hosts in service")
        run.processes.check_interrupted()
        time.sleep(LOOK)
