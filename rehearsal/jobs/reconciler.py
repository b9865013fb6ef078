"""Runs the accounts' job runs: called about every second."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rehearsal.accounts import AccountSession
from rehearsal.background import Build
from rehearsal.distribution import spark
from rehearsal.distribution.release import RELEASE
from rehearsal.errors import RehearsalError
from rehearsal.hosts import image
from rehearsal.hosts.podman import Podman
from rehearsal.jobs import account
from rehearsal.jobs.container import Containers, State
from rehearsal.jobs.model import Job

AT_ONCE = 2
"""How many job runs have a driver at the same time, since each takes 1.5 GB. The others are PENDING meanwhile."""
EXCEPTIONS = (RehearsalError, OSError, ClientError, BotoCoreError)
log = logging.getLogger("rehearsal.jobs")


class Jobs:
    """The job runs of all accounts."""

    def __init__(self, podman: Podman, folder: Path, cache: Path) -> None:
        self._podman = podman
        self._folder = folder / "jobs"
        self.containers = Containers(podman, self._folder)
        # job runs start when it is there
        self.build = Build("spark", lambda: spark.build(cache, log.info))
        self._known: set[str] | None = None
        self._rest: int | None = None
        self._began: dict[str, float] = {}
        self._image_ready = False
        self.status: dict[str, dict[str, Any]] = {}
        self.problems: list[str] = []

    def reconcile(self, sessions: Mapping[str, AccountSession], calls: int | None = None) -> list[str]:
        """Follow the accounts, all of which can be read. Returns what was done; `problems` are tried again.

        `calls`: how many changing calls the accounts' API has served, where that is known. Where there was nothing to
        do, there is nothing until it has served another one.
        """
        self.problems = []
        if calls is not None and calls == self._rest:
            return []
        jobs: list[tuple[Job, AccountSession]] = []
        for session in sessions.values():
            application_ids = account.applications(session)
            if application_ids:
                self.build.reconcile()
                jobs += [(job, session) for job in account.active(session, application_ids)]
        if not jobs and self._known == set():
            self.status = {}
            self._rest = calls if self.build.made else None
            return []
        self._folder.mkdir(parents=True, exist_ok=True)
        states = self.containers.all()
        done = []
        for job, session in jobs:
            try:
                done += self._follow(job, session, states)
            except EXCEPTIONS as problem:
                self.problems.append(f"job run {job.job_run_id}: {problem}")
        wanted = {job.job_run_id for job, _ in jobs}
        for job_run_id in set(states) - wanted:
            # ended and reported, or of an account that is gone
            self.containers.remove(job_run_id)
        self._known = set(states) & wanted
        self.status = {job.job_run_id: self._describe(job, states.get(job.job_run_id)) for job, _ in jobs}
        return done

    def _follow(self, job: Job, session: AccountSession, states: dict[str, State]) -> list[str]:
        """Bring one job run a step further."""
        state = states.get(job.job_run_id)
        if state is None:
            return self._begin(job, session, states)
        if state.code is not None:
            return self._end(job, session, state.code)
        began = self._began.setdefault(job.job_run_id, time.monotonic())
        late = job.timeout_minutes and time.monotonic() - began > job.timeout_minutes * 60
        if job.state == "CANCELLING" or late:
            if late:
                account.report(session, job, "CANCELLING", f"Job run ran longer than {job.timeout_minutes} minutes")
            self.containers.stop(job.job_run_id)
            return [f"job run {job.job_run_id}: ended"]
        if job.state != "RUNNING":
            account.report(session, job, "RUNNING")
        return []

    def _begin(self, job: Job, session: AccountSession, states: dict[str, State]) -> list[str]:
        """Start a job run when there is what it needs and room for it."""
        if job.state == "CANCELLING":
            account.report(session, job, "CANCELLED")
            return [f"job run {job.job_run_id}: cancelled before it ran"]
        if job.state == "RUNNING":
            account.report(session, job, "FAILED", "The job run's container is gone")
            return [f"job run {job.job_run_id}: lost"]
        wrong = _wrong(job)
        if wrong:
            account.report(session, job, "FAILED", wrong)
            return [f"job run {job.job_run_id}: refused: {wrong}"]
        if job.state == "SUBMITTED":
            account.report(session, job, "PENDING")
        self._image_ready = self._image_ready or image.ready(self._podman)
        busy = sum(1 for one in states.values() if one.code is None)
        if not (self.build.made and self._image_ready) or busy >= AT_ONCE:
            return []
        try:
            credentials = account.role_credentials(session, job)
        except RehearsalError as problem:
            account.report(session, job, "FAILED", str(problem))
            return [f"job run {job.job_run_id}: {problem}"]
        account.report(session, job, "SCHEDULED")
        try:
            self.containers.start(job, self.build.made, session.api, credentials)
        except RehearsalError as problem:
            self.containers.remove(job.job_run_id)
            account.report(session, job, "FAILED", f"The driver could not be started: {problem}")
            raise
        states[job.job_run_id] = State(None, None)
        self._began[job.job_run_id] = time.monotonic()
        account.report(session, job, "RUNNING")
        return [f"job run {job.job_run_id}: started"]

    def _end(self, job: Job, session: AccountSession, code: int) -> list[str]:
        """Logs first: whoever sees a final state finds them."""
        try:
            self.containers.upload_logs(job, session.client("s3"))
        except EXCEPTIONS as problem:
            self.problems.append(f"job run {job.job_run_id}: its logs could not be put to {job.log_uri}: {problem}")
        if job.state == "CANCELLING":
            account.report(session, job, "CANCELLED")
        elif code == 0:
            account.report(session, job, "SUCCESS")
            if self.build.made:
                self.containers.keep_classes(job.job_run_id, self.build.made)
        else:
            last = self.containers.last_words(job.job_run_id)
            where = "please check complete logs in configured logging destination"
            account.report(
                session, job, "FAILED", f"Job failed, {where}. ExitCode: {code}. Last few exceptions: {last}"
            )
        self.containers.remove(job.job_run_id)
        self._began.pop(job.job_run_id, None)
        return [f"job run {job.job_run_id}: exit {code}"]

    @staticmethod
    def _describe(job: Job, state: State | None) -> dict[str, Any]:
        return {"application_id": job.application_id, "state": job.state, "pid": state.pid if state else None}


def _wrong(job: Job) -> str:
    """Why a job run cannot be run at all; empty when it can."""
    if job.release != RELEASE.label:
        return f"a rehearsal runs {RELEASE.label} (Spark {RELEASE.spark}), not {job.release}"
    if not job.entry_point:
        return "only jobDriver.sparkSubmit with an entryPoint is run"
    return ""
