# Copyright: the data platform provisioner's authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a check is, and the log of those made."""

from __future__ import annotations

import time
import typing as t
from dataclasses import asdict, dataclass, field

PASSED, FAILED, PENDING, COMPUTED, SKIPPED = "passed", "failed", "pending", "computed", "skipped"


class CheckFailed(Exception):
    """What was observed is not what is expected."""

    def __init__(self, observed: str, fix: str = "") -> None:
        super().__init__(observed)
        self.observed = observed
        self.fix = fix


@dataclass(frozen=True)
class Outcome:
    """What a check function returns: what it saw, and (rarely) a status other than ``passed``."""

    observed: str
    status: str = PASSED
    detail: str = ""


@dataclass(frozen=True)
class Check:
    name: str  # stable, for example ``refused:no-certificate``
    subject: str  # whom or what it is about
    expected: str
    observed: str
    status: str
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Checks:
    """Runs check functions one after another; a failed one never stops the others."""

    done: list[Check] = field(default_factory=list)

    def run(self, name: str, subject: str, expected: str, function: t.Callable[..., Outcome], *args: t.Any) -> bool:
        """Run one check, ``function(*args)``, and keep what it saw; true unless it failed."""
        started = time.monotonic()
        try:
            outcome = function(*args)
        except CheckFailed as error:
            outcome = Outcome(error.observed, FAILED, error.fix)
        except Exception as error:  # a broken check is a failed check with its reason, and the others still run
            outcome = Outcome(f"{type(error).__name__}: {error}", FAILED)
        seconds = round(time.monotonic() - started, 3)
        self.done.append(Check(name, subject, expected, outcome.observed, outcome.status, outcome.detail, seconds))
        return outcome.status != FAILED

    def as_dicts(self) -> list[dict[str, t.Any]]:
        return [asdict(check) for check in self.done]

    def count(self, status: str) -> int:
        return sum(check.status == status for check in self.done)
