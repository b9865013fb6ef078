"""Brings an environment to what is declared: every stage, or those named with --only."""

from __future__ import annotations

import contextlib

from driver import conduct, fleets, lake, lease, people
from driver.errors import CHANGES, DONE
from driver.run import Run
from driver.stages import STAGES, configuration, evidence, preflight


def run(run: Run) -> int:
    conduct.begin(run, start=True)
    chosen = {name: work for name, work in STAGES.items() if not run.options.only or name in run.options.only}
    preflight.reaches_hosts(run, chosen)
    if "configuration" in chosen:
        configuration.choose(run, chosen)
    with contextlib.nullcontext(lambda: None) if run.options.check else lease.held(run) as take:
        for name, work in chosen.items():
            take()
            with run.stage(name) as stage:
                work(run, stage)
        take()
    with run.stage("evidence") as stage:
        evidence.run(run, stage)
    summary(run)
    changed = any(run.record.terraform.values()) or run.record.ansible
    return CHANGES if run.options.check and changed else DONE


def summary(run: Run) -> None:
    """Where, who, how, and where the record is."""
    progress, options = run.progress, run.options
    progress.line("")
    if run.options.check:
        progress.line(f"{run.env}: nothing was changed (--check)", "bold")
        return
    what = f"done: {', '.join(options.only)}" if options.only else "is as declared and verified"
    urls = run.platform["urls"]
    progress.line(f"{run.env} {what}: {urls['nifi']}", "bold green")
    if fleets.has_airflow(run.platform):
        progress.line(f"Airflow:     {urls['airflow']}", "bold green")
    progress.line("")
    if run.record.lake:
        show_lake(run)
    progress.show(people.table(run.record.users))
    progress.line("")
    if user := next((known["user"] for known in run.record.users if known["kind"] == "user"), None):
        progress.line(f"To log in:   {options.command} certificates export {user} --to DIR")
        progress.line(f"             and import DIR/{user}.p12 into the browser; the command says how")
    progress.line(f"Rights:      {options.command} who-can USER")


def show_lake(run: Run) -> None:
    """Counts by layer, and how gold compares with what was computed independently."""
    found = run.record.lake
    run.progress.show(lake.table(found))
    run.progress.line(f"last run: {lake.last_run(found)}")
    checksum = found.get("checksum")
    if checksum:
        equal = "equals" if checksum["observed"] == checksum["expected"] else "DIFFERS FROM"
        run.progress.line(f"gold:     {checksum['observed']} {equal} the independent {checksum['expected']}")
    run.progress.line("")
