"""What can be asked of the runner, one module each. ``run(run) -> exit code``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driver.run import Run
from driver.verbs import apply, certificates, destroy, drift, environment, plan, status, verify, who_can


@dataclass(frozen=True)
class Verb:
    """exclusive: not beside another run of the environment; recorded: leaves a run record; quiet: standard output is
    for machines.
    """

    run: Callable[[Run], int]
    help: str
    exclusive: bool = True
    recorded: bool = True
    quiet: bool = False


VERBS = {
    "apply": Verb(apply.run, "bring the environment to what is declared, and verify it (the default)"),
    "plan": Verb(plan.run, "what Terraform would change; exit 2 when something would", recorded=False),
    "verify": Verb(verify.run, "log in as each role does, and try what must be refused"),
    "drift": Verb(
        drift.run, "what was changed by hand, or waits to be applied; exit 2 when there is something", recorded=False
    ),
    "certificates": Verb(
        certificates.run,
        "list | export USER --to DIR | apply (as --only certificates --only access)",
        exclusive=False,
        recorded=False,
        quiet=True,
    ),
    "who-can": Verb(who_can.run, "what a user may do, and by which rule", exclusive=False, recorded=False, quiet=True),
    "status": Verb(
        status.run, "addresses, nodes, health, the lake, users", exclusive=False, recorded=False, quiet=True
    ),
    "destroy": Verb(destroy.run, "remove everything that Terraform built"),
    "environment": Verb(
        environment.run,
        "shell lines for using terraform and ansible-playbook by hand",
        exclusive=False,
        recorded=False,
        quiet=True,
    ),
}
