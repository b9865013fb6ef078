"""Asks a person before something is changed that others depend on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from driver.errors import Refused

if TYPE_CHECKING:
    from driver.run import Run
    from driver.terraform_events import Outcome

# Environments in which a plan is looked at before it is applied.
ASKED = ("prod",)


def ask(run: Run, what: str, outcome: Outcome) -> None:
    """Go on only with an approval, where one is needed: ``--yes``, an approved plan file, or the environment's name
    typed in.

    :raises Refused: nobody is there to ask, or the answer was no
    """
    if run.env not in ASKED or run.options.yes or run.options.plan:
        return
    lines = [f"{action:>8}  {address}" for address, action in outcome.wanted]
    confirm(
        run,
        f"{what}: {outcome.summary()}",
        lines,
        f"{run.options.command} plan --out FILE, have it approved, then --plan FILE; or --yes",
    )


def confirm(run: Run, what: str, lines: list[str], otherwise: str) -> None:
    """Show what would happen and have the environment's name typed in.

    :param otherwise: how to do without a terminal
    """
    if not sys.stdin.isatty():
        raise Refused(f"{run.env}: {what}; this needs an approval, and there is no terminal to ask on", otherwise)
    with run.progress.paused():
        for line in lines:
            run.progress.line(line)
        run.progress.line(what, "bold")
        try:
            answer = input(f"Type {run.env} to go on: ")
        except EOFError:  # Ctrl-D
            answer = ""
    if answer.strip() != run.env:
        raise Refused(
            f"{what}: not approved", f"when it is as it should be, run again and type {run.env}, or: {otherwise}"
        )
