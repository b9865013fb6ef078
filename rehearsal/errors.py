"""What can go wrong in a rehearsal and is worth a sentence instead of a traceback."""

from __future__ import annotations


class RehearsalError(RuntimeError):
    """The rehearsal cannot do what it was asked; the text says what is wrong and how to mend it."""
