"""What a plan would change, as people read it."""

from __future__ import annotations

from collections.abc import Sequence

from driver.run import Run
from driver.terraform_events import Outcome

SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "replace": ("±", "red")}


def show(run: Run, bootstrap: Sequence[tuple[str, str]], outcome: Outcome, built: bool) -> None:
    """A line for each resource.

    :param bootstrap: (address, action) of what the account's own bootstrap would change
    :param built: whether the account has a state bucket
    """
    for address, action in [*((f"bootstrap: {address}", action) for address, action in bootstrap), *outcome.wanted]:
        sign, style = SIGNS.get(action, ("·", ""))
        run.progress.line(f"  {sign} {address}", style)
    if not built:
        run.progress.line(f"{run.env} is not built yet; the account gets a state bucket and its key first")
