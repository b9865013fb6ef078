"""Command line of the rehearsal: `python -m rehearsal VERB`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from rehearsal.errors import RehearsalError


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 0 done, 1 failed."""
    chosen = _parser().parse_args(arguments)
    try:
        return _run(chosen)
    except RehearsalError as problem:
        print(problem, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rehearsal", description="The embedded account and its hosts.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("start", help="open an environment's account, as the first run with --rehearse does")
    start.add_argument("--env", default="dev")
    status = verbs.add_parser("status", help="what runs")
    destroy = verbs.add_parser("destroy", help="end everything and leave nothing behind")
    for verb in (start, status, destroy):
        verb.add_argument("--json", action="store_true", help="print JSON on standard output")
    verbs.add_parser("supervise", help="what `start` runs in the background")
    verbs.add_parser("image", help="build the hosts' image unless it is there, and print its name")
    for name, text in (("exec", "run CMD where podman works"), ("podman", "run podman over the rehearsal's storage")):
        verbs.add_parser(name, help=text).add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _run(chosen: argparse.Namespace) -> int:
    if chosen.verb in ("exec", "podman", "image"):
        return _podman(chosen)
    if chosen.verb == "supervise":
        from rehearsal import supervisor

        return supervisor.main()
    from rehearsal import session

    if chosen.verb == "start":
        opened = session.open_account(chosen.env, _values(chosen.env), _progress)
        _show({**opened, "ca_bundle": str(opened["ca_bundle"])} if chosen.json else session.status(), chosen.json)
    elif chosen.verb == "destroy":
        session.destroy(_progress)
        _show({"destroyed": True} if chosen.json else {}, chosen.json)
    else:
        _show(session.status(), chosen.json)
    return 0


def _podman(chosen: argparse.Namespace) -> int:
    from rehearsal.hosts import image
    from rehearsal.hosts.podman import Podman

    podman = Podman()
    if chosen.verb == "image":
        print(image.build(podman, _progress))
        return 0
    command = chosen.command[1:] if chosen.command[:1] == ["--"] else chosen.command
    return podman.execute(["podman", *command] if chosen.verb == "podman" else command)


def _values(env: str) -> dict[str, Any]:
    """The few of Terraform's values that an account needs, from the environment's example file."""
    import re

    from rehearsal.paths import CHECKOUT

    path = CHECKOUT / "terraform" / "environments" / env / "terraform.tfvars.example"
    if not path.exists():
        raise RehearsalError(f"{path} is not there: --env takes the name of a folder in terraform/environments")
    found = dict(re.findall(r'^(\w+)\s*=\s*"([^"]*)"', path.read_text(), re.MULTILINE))
    missing = [name for name in ("account_id", "region", "bucket_suffix") if name not in found]
    if missing:
        raise RehearsalError(f"{path}: no value for {', '.join(missing)}")
    return found


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _show(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(values, indent=2, default=str))
        return
    for name, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items() if item not in (None, "", [])) or "-"
        elif isinstance(value, list):
            value = ", ".join(map(str, value)) or "-"
        print(f"{name:14} {value}")


if __name__ == "__main__":
    sys.exit(main())
