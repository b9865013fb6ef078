"""The one version of moto that the mends are written for."""

from __future__ import annotations

from importlib.metadata import version

MOTO = "5.2.5"


class WrongMotoError(RuntimeError):
    """The installed moto is not the version that the mends replace parts of."""


def check() -> None:
    """Raise WrongMotoError unless the installed moto is the pinned version."""
    installed = version("moto")
    if installed != MOTO:
        raise WrongMotoError(
            f"rehearsal/aws mends moto {MOTO}, but moto {installed} is installed: "
            f"install the locked requirements (make venv), or carry the mends over and change MOTO in {__file__}"
        )
