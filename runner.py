#!/usr/bin/env python3
"""Takes a data platform environment to what is declared: `python runner.py --help`.

A shim: it finds the Python that has the dependencies, knows how a rehearsal is reached, and leaves the rest to driver/.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent
NEEDED = ("ansible_runner", "boto3", "cryptography", "jinja2", "pydantic", "rich", "yaml")

if TYPE_CHECKING:
    from driver.errors import DriverError
    from driver.target import Kind


class Rehearsal:
    """The emulated account, as a connector of the driver."""

    kind: Kind = "rehearsal"
    disposable = True
    values_name = "terraform.tfvars.example"

    def running(self, env: str) -> bool:
        from rehearsal import session

        return session.running(env)

    def open(self, env: str, values: Mapping[str, Any], progress: Callable[[str], None]) -> Mapping[str, Any]:
        from driver.errors import Refused
        from rehearsal import session

        with explained(Refused):
            return session.open_account(env, values, progress)

    def close(self, env: str, progress: Callable[[str], None]) -> None:
        from driver.errors import DriverError
        from rehearsal import session

        with explained(DriverError):  # after Terraform has destroyed what it built
            session.close_account(env, progress)

    def problems(self) -> Mapping[str, str]:
        from rehearsal import session

        return session.problems()


@contextlib.contextmanager
def explained(kind: type[DriverError]) -> Iterator[None]:
    """What a rehearsal says when it can't do something, said by the driver as this kind of error."""
    from rehearsal.errors import RehearsalError

    try:
        yield
    except RehearsalError as error:
        raise kind(f"the rehearsal: {error}", "see also: python -m rehearsal status") from error


def use_the_projects_python() -> None:
    """Go on in the project's own environment when this Python lacks something."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing and sys.version_info >= (3, 12):
        return
    python = ROOT / ".cache" / "venv" / "bin" / "python"
    if python.exists() and not os.environ.get("DATAPLATFORM_REEXECUTED"):
        os.environ["DATAPLATFORM_REEXECUTED"] = "1"
        os.execv(python, [str(python), str(ROOT / "runner.py"), *sys.argv[1:]])  # noqa: S606
    print(
        f"refused: this Python ({sys.version.split()[0]}) lacks {', '.join(missing) or 'a newer version (3.12)'}",
        file=sys.stderr,
    )
    print("fix: make setup", file=sys.stderr)
    sys.exit(3)


def main(argv: list[str]) -> int:
    use_the_projects_python()
    from driver import cli

    return cli.entry(argv, ROOT, Rehearsal() if "--rehearse" in argv else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
