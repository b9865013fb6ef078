"""What --tags and --limit choose. A word that chooses nothing is refused: Ansible would end well, with nothing done."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from driver.errors import DriverError, Refused
from driver.run import Run

OWN = {"all", "tagged", "untagged"}  # Ansible's own words for tags
TAGS = re.compile(r"TAGS: \[([^\]]*)\]")
UNMATCHED = re.compile(r"Could not match supplied host pattern, ignoring: (\S+)")
MATCHED = re.compile(r"hosts \(([1-9]\d*)\):")
NOBODY = "leaves us with no hosts to target"


def tags(run: Run, playbooks: Sequence[str]) -> None:
    """:raises Refused: a tag that no task of these playbooks has"""
    paths = [str(run.project.ansible / "playbooks" / name) for name in playbooks]
    listed = _ansible(
        run,
        ["ansible-playbook", "--inventory=localhost,", "--list-tags", *paths],
        ANSIBLE_INVENTORY_ENABLED="host_list",
    )
    known = {name.strip() for names in TAGS.findall(listed[0]) for name in names.split(",")} - {"", "always"}
    wanted = [name.strip() for given in run.options.tags for name in given.split(",")]
    unknown = [name for name in wanted if name not in known | OWN]
    if unknown:
        raise Refused(
            f"--tags {', '.join(unknown)}: no task of {' and '.join(playbooks)} has it",
            f"there are {', '.join(sorted(known))}",
        )


def hosts(run: Run) -> list[str]:
    """The hosts that the limit means now: a pattern of Ansible's own.

    :raises Refused: (a part of) it matches no host of the inventory
    """
    limit = run.options.limit
    inventory = f"--inventory={run.project.inventory(run.env)}"
    # (A limit that matches nobody is an error of Ansible's; a part of one is a warning.)
    matched, said = _ansible(run, ["ansible", "all", inventory, f"--limit={limit}", "--list-hosts"], good=NOBODY)
    lost = UNMATCHED.findall(said)
    if MATCHED.search(matched) and not lost:
        return [line.strip() for line in matched.splitlines() if line.strip() and not MATCHED.search(line)]
    found = json.loads(_ansible(run, ["ansible-inventory", inventory, "--list"])[0])
    names = sorted(found.pop("_meta", {}).get("hostvars", {}))
    groups = sorted(set(found) - {"all", "ungrouped"})
    raise Refused(
        f"--limit {limit}: no host of {run.env} is {', '.join(lost) or limit}",
        f"there are the groups {', '.join(groups)} and the hosts {', '.join(names)}"
        if names
        else "there are no hosts yet: run without --limit",
    )


def _ansible(run: Run, argv: Sequence[str], good: str = "", **extra: str) -> tuple[str, str]:
    """What a program of Ansible's prints: for programs, and for people in one line. It leaves nothing in the run's
    inventory, which may change before it is played.

    :param good: said by one that failed, for a reason that is an answer too
    :raises Refused: it failed
    """
    environment = {**run.ansible.environment(), "ANSIBLE_INVENTORY_CACHE": "False", **extra}
    try:
        done = run.processes.capture(argv, cwd=run.project.root, extra=environment)
    except DriverError as error:
        raise Refused(error.message, error.fix) from None
    said = " ".join(run.processes.redact(done.stderr).split())
    if done.code != 0 and not (good and good in said):
        raise Refused(f"{argv[0]} ended with code {done.code}: {said}", "correct it and run again")
    return done.stdout, said
