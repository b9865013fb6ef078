"""What a run can end with. Expected errors carry what to do about them; everything else is a defect and goes to a log
file.
"""

from __future__ import annotations

DONE, FAILED, CHANGES, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130


class DriverError(Exception):
    """Something outside went wrong. ``fix`` says what to do next."""

    code = FAILED

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


class Refused(DriverError):
    """The run would be wrong: nothing was changed."""

    code = REFUSED


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C, or asked the process to end. Not an error that code may answer and go on."""

    code = INTERRUPTED
    message = "interrupted"
    fix = "run the same command again: it goes on where this one stopped"
