"""The command line: what was asked for, who does it, and the code it ends with."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from driver import lock, progress, record
from driver.errors import FAILED, INTERRUPTED, DriverError, Interrupted
from driver.heartbeat import Heartbeat
from driver.process import Processes
from driver.project import ENVIRONMENTS, Project, write_private
from driver.run import Options, Run, new_folder
from driver.stages import STAGES
from driver.target import Aws, Connector
from driver.verbs import VERBS, Verb

EPILOG = """\
stages, in the order they run:
  environment     read and check inventories/ENV, cert-requests/ENV and the values for Terraform
  preflight       tools, credentials, the account's id, the state's lock; refuses before anything changes
  infrastructure  terraform plan, then apply exactly that plan
  hosts           wait for the hosts that Terraform asked for
  certificates    issue, renew and revoke what cert-requests/ENV says
  configuration   make the hosts NiFi and Airflow nodes (ansible/playbooks/configure-*.yml)
  access          users, groups and policies become what access.yml says
  pipelines       flows, DAGs and jobs become what pipelines/ says, and nothing else is touched
  verification    log in as each role does, try what must be refused, have data go through to gold
  evidence        the run record: .cache/runs/ENV/latest/record.html

examples:
  python runner.py --env dev --rehearse                          all of it on this machine, with an emulated account
  python runner.py --env dev plan                                what would change
  python runner.py --env dev                                     apply on AWS
  python runner.py --env dev --only certificates --only access   after a merged certificate request
  python runner.py --env dev --only pipelines                    after a merged change of a DAG, a job or a flow
  python runner.py --env dev --check                             what every stage would change
  python runner.py --env dev --only configuration --tags edge --limit i-0123456789abcdef0
  python runner.py --env prod plan --out prod.tfplan             a plan for approval …
  python runner.py --env prod --plan prod.tfplan                 … applied once approved
  python runner.py --env dev certificates export alice --to ~/alice
  python runner.py --env dev who-can alice
  eval "$(python runner.py --env dev --rehearse environment)"    terraform and ansible-playbook by hand

exit codes: 0 done, 1 failed, 2 changes or drift found, 3 refused before anything changed, 130 interrupted
"""


def parser() -> argparse.ArgumentParser:
    """The arguments. Options may stand before or after the verb."""
    result = argparse.ArgumentParser(
        prog="python runner.py",
        usage="python runner.py --env ENV [--rehearse] [options] [VERB …]",
        description="Takes a data platform from whatever state it is in to what is declared, and verifies it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verbs = "\n".join(f"  {name:<13} {verb.help}" for name, verb in VERBS.items())
    result.epilog = f"verbs:\n{verbs}\n\n{EPILOG}"
    result.add_argument("--env", required=True, choices=ENVIRONMENTS, help="the environment")
    result.add_argument(
        "--rehearse", action="store_true", help="on this machine, against an emulated account with real hosts"
    )
    result.add_argument(
        "--only", action="append", default=[], choices=list(STAGES), metavar="STAGE", help="only this stage; repeatable"
    )
    result.add_argument(
        "--tags", action="append", default=[], metavar="TAG", help="configuration: only tasks with this tag; repeatable"
    )
    result.add_argument("--limit", metavar="HOSTS", help="configuration: only these hosts (an Ansible pattern)")
    result.add_argument(
        "--check", action="store_true", help="change nothing, say what would change; exit 2 when something would"
    )
    result.add_argument("--yes", action="store_true", help="approve: PROD's plan, or destroy")
    result.add_argument("--plan", type=Path, metavar="FILE", help="apply this approved plan file")
    result.add_argument("--out", type=Path, metavar="FILE", help="plan: keep the plan in this file")
    result.add_argument("--to", type=Path, metavar="DIR", help="certificates export: where to")
    result.add_argument("--json", action="store_true", help="status, who-can, certificates list: for machines")
    result.add_argument(
        "verb", nargs="?", default="apply", choices=list(VERBS), metavar="VERB", help="see below (default: apply)"
    )
    result.add_argument("words", nargs="*", metavar="…", help=argparse.SUPPRESS)
    return result


# Option → the verb that it belongs to.
BELONGS = {
    "only": "apply",
    "tags": "apply",
    "limit": "apply",
    "check": "apply",
    "plan": "apply",
    "out": "plan",
    "to": "certificates",
}


def options(argv: Sequence[str]) -> Options:
    """Parse and check. Ends the process with code 2's meaning of argparse replaced by 3: nothing was changed."""
    found = parser()
    values = found.parse_intermixed_args(argv)
    words = list(values.words)
    action = words.pop(0) if values.verb == "certificates" and words else "list"
    user = words.pop(0) if (values.verb == "who-can" or action == "export") and words else ""
    if words:
        found.error(f"unexpected: {' '.join(words)}")
    if values.verb == "who-can" and not user:
        found.error("who-can needs a user, or a DN")
    if action not in ("list", "export", "apply"):
        found.error(f"certificates {action}: use list, export USER --to DIR, or apply")
    if action == "export" and not (user and values.to):
        found.error("certificates export needs a user and a folder: certificates export alice --to DIR")
    for name, verb in BELONGS.items():
        if getattr(values, name) and values.verb != verb:
            found.error(f"--{name} belongs to {verb}, not to {values.verb}")
    if values.plan and (values.check or (values.only and "infrastructure" not in values.only)):
        found.error("--plan applies a file in stage infrastructure: not with --check, nor with --only without it")
    for name in ("tags", "limit"):
        if getattr(values, name) and values.only and "configuration" not in values.only:
            found.error(f"--{name} is for stage configuration, which --only leaves out: add --only configuration")
    if values.limit is not None and not values.limit.strip():
        found.error("--limit names no hosts: without it, all are meant")
    if values.out and not values.out.absolute().parent.is_dir():
        found.error(f"--out {values.out}: there is no folder {values.out.absolute().parent}")
    if action == "apply":
        values.verb, values.only = "apply", ["certificates", "access"]
    return Options(
        env=values.env, verb=values.verb, rehearse=values.rehearse, only=tuple(values.only), tags=tuple(values.tags),
        limit=values.limit, check=values.check, yes=values.yes, json=values.json, user=user, action=action,
        to=values.to, plan=values.plan.resolve() if values.plan else None, out=values.out.resolve() if values.out else
        None,
    )  # fmt: skip


def main(chosen: Options, root: Path, connector: Connector | None = None) -> int:
    """Do what was asked for. Returns the exit code; explains what went wrong on the way."""
    project = Project(root)
    verb = VERBS[chosen.verb]
    folder = new_folder(project, chosen.env)
    processes = Processes({}, str(folder))
    shown = progress.make(processes.redact, to_stderr=verb.quiet and (chosen.json or chosen.verb == "environment"))
    connector = connector or Aws()
    run = Run(
        project, chosen, connector, processes, shown, folder,
        record.Record(chosen.env, chosen.verb, connector.kind, folder.name),
        Heartbeat(project.runs(chosen.env) / "current.json", chosen.verb, folder.name),
    )  # fmt: skip
    with processes.signals(), record.alive(folder):
        return _guarded(run, verb)


def _guarded(run: Run, verb: Verb) -> int:
    """Run a verb and turn whatever happens into words and a code."""
    code = FAILED
    try:
        with contextlib.ExitStack() as stack:
            if verb.exclusive:
                stack.enter_context(lock.exclusive(run.project, run.env))
                record.clean_after_kills(run.project.runs(run.env))
            else:
                run.heartbeat.enabled = False
            try:
                with run.progress.view():
                    code = _attempt(run, verb)
            finally:
                _finish(run, verb, code)
    except DriverError as error:  # somebody else has the lock
        code = _explain(run, error)
    return code


def _attempt(run: Run, verb: Verb) -> int:
    try:
        code = verb.run(run)
        run.processes.check_interrupted()
        return code
    except DriverError as error:
        return _explain(run, error)
    except KeyboardInterrupt:
        return _explain(run, Interrupted())
    except BrokenPipeError:
        return INTERRUPTED
    except Exception as error:
        path = write_private(run.folder / "error.log", run.processes.redact(traceback.format_exc()))
        message = f"unexpected: {type(error).__name__}: {error}"
        return _explain(run, DriverError(message, f"this is a defect: report it with {run.project.shown(path)}"))


def _explain(run: Run, error: DriverError | Interrupted) -> int:
    run.record.failure = run.processes.redact(error.message)
    word = {3: "refused", 130: "stopped"}.get(error.code, "failed")
    run.progress.line(f"{word}: {error.message}", "bold red" if error.code == FAILED else "bold yellow")
    if error.fix:
        run.progress.line(f"fix: {error.fix}")
    return error.code


def _finish(run: Run, verb: Verb, code: int) -> None:
    """The heartbeat's end, and the record."""
    run.heartbeat.ended(code)
    if verb.recorded and run.declared is not None:
        run.record.facts.update(record.commit(_git(run), run.project.root))
        page = run.record.write(run.folder, code)
        run.progress.line(f"Run record:  {run.project.shown(page)}")
    record.clean(run.folder)
    if not verb.recorded and code != FAILED:
        shutil.rmtree(run.folder, ignore_errors=True)
    record.prune(run.project.runs(run.env))


def _git(run: Run):  # type: ignore[no-untyped-def]
    """Git must still answer after an interruption."""
    return Processes({"PATH": os.environ.get("PATH", os.defpath)}).capture


def entry(argv: Sequence[str], root: Path, connector: Connector | None = None) -> int:
    """For runner.py and tests: parse, then do."""
    try:
        chosen = options(argv)
    except SystemExit as error:
        return 3 if error.code else 0
    return main(chosen, root, connector)


if __name__ == "__main__":
    sys.exit(entry(sys.argv[1:], Path(__file__).resolve().parents[1]))
