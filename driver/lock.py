"""Who may change an environment: one run of this checkout at a time, and one Terraform anywhere (the state's own
lock).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Any

from driver import leftovers, process, record
from driver.aws import Account
from driver.errors import DriverError, Refused
from driver.process import Processes
from driver.progress import Progress
from driver.project import Project, private_folder

PATIENCE = 3600.0  # seconds for a Terraform whose run was killed: an apply's own time limits are shorter


@contextlib.contextmanager
def exclusive(project: Project, env: str) -> Iterator[None]:
    """One run at a time in this checkout; ends with the process, however that ends.

    :raises Refused: says which process has it, and in which stage that is
    """
    folder = private_folder(project.runs(env))
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused(
                f"another run has {env}: {_other(folder)}", "wait until it has ended, or end it with Ctrl-C"
            ) from None
        yield
    finally:
        os.close(descriptor)


def _other(folder: Path) -> str:
    try:
        current = json.loads((folder / "current.json").read_text())
        stage = f"in stage {current['stage']} since {current['stage_started']}"
        return f"process {current['pid']} ({current['verb']}), {stage}"
    except (OSError, ValueError, KeyError):
        return "it has just begun"


def settle_leftovers(project: Project, env: str, processes: Processes, progress: Progress) -> None:
    """Deal with programs of a run that was killed: Terraform goes on to its end, everything else is ended and done
    again. Those of runs that go on (`status` and the like, beside this one) are nobody's business.

    Terraform first: its plugins and provisioners carry the run's mark too, and are gone when it has ended.

    :raises DriverError: Terraform does not end
    """
    for leftover in _of_killed_runs(project, env):
        if leftover.terraform:
            progress.note(
                f"the run {leftover.run.name} was killed; its terraform (process {leftover.pid}) still works: waiting"
            )
            _await_end(leftover, processes)
    for leftover in _of_killed_runs(project, env):
        if not leftover.shared_connection:
            leftovers.end(leftover)


def _of_killed_runs(project: Project, env: str) -> list[leftovers.Leftover]:
    return [found for found in leftovers.find(project.runs(env)) if not record.at_work(found.run)]


def _await_end(terraform: leftovers.Leftover, processes: Processes) -> None:
    deadline = time.monotonic() + PATIENCE
    while terraform.alive:
        processes.check_interrupted()
        if time.monotonic() > deadline:
            raise DriverError(
                f"terraform (process {terraform.pid}) does not end",
                f"look at it; kill -INT {terraform.pid} ends it in order",
            )
        time.sleep(process.POLL)


@dataclass(frozen=True)
class Held:
    """The state's lock, as Terraform writes it."""

    id: str
    who: str
    operation: str
    created: datetime

    @classmethod
    def parse(cls, body: bytes) -> Held:
        values: dict[str, Any] = json.loads(body)
        created = datetime.fromisoformat(values["Created"].replace("Z", "+00:00"))
        return cls(values["ID"], values["Who"], values["Operation"].removeprefix("OperationType").lower(), created)


def check_state(
    account: Account, project: Project, env: str, bucket: str, key: str, progress: Progress, command: str
) -> None:
    """See that nobody holds the state's lock; release it when it is a killed run's of this checkout.

    :param command: how to call this runner again
    :raises Refused: somebody else's: who, since when, and how to release it
    """
    body = account.object(bucket, f"{key}.tflock")
    if body is None:
        return
    try:
        held = Held.parse(body)
    except (ValueError, KeyError):
        held = Held("unknown", "somebody", "an unknown operation", datetime.now(UTC))
    if _ours_and_dead(project, env, held, account.endpoint):
        account.delete_object(bucket, f"{key}.tflock")
        progress.line(
            f"released the state lock of a run that was killed here ({held.operation}, {held.created:%H:%M:%S} UTC)"
        )
        return
    raise Refused(
        f"the state of {env} is locked by {held.who} ({held.operation}) since {held.created:%Y-%m-%d %H:%M:%S} UTC",
        f'wait until that run has ended. If it is dead: eval "$({command} environment)", '
        f"then terraform -chdir=terraform/environments/{env} force-unlock {held.id}",
    )


def _ours_and_dead(project: Project, env: str, held: Held, endpoint: str | None) -> bool:
    """Whether a Terraform of this checkout took it, and no such Terraform lives any more.

    A run notes the second in which it starts Terraform; a lock of this user and machine taken after it, while that
    run never noted an end, is that run's. The caller holds this checkout's own lock, so there is no other run here; of
    other checkouts, no Terraform may be at work on the same state.
    """
    if held.who != f"{getuser()}@{socket.gethostname()}":
        return False
    begun = project.runs(env) / "terraform.json"
    try:
        since = datetime.fromisoformat(json.loads(begun.read_text())["started"])
    except (OSError, ValueError, KeyError):
        return False
    return held.created >= since and not _at_work(env, endpoint)


def _at_work(env: str, endpoint: str | None) -> bool:
    """Whether a Terraform of whatever checkout works on that environment of the account, by a runner or by hand."""
    return any(
        leftovers.variable(pid, "AWS_ENDPOINT_URL") == endpoint
        for pid, command in leftovers.named("terraform").items()
        if any(part.endswith(f"environments/{env}") for part in [*command, leftovers.directory(pid)])
    )
