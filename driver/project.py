"""Where things are in a checkout."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = ("dev", "ppd", "prod")


@dataclass(frozen=True)
class Project:
    """The folders of a checkout. Only ``cache`` is written to."""

    root: Path

    @property
    def cache(self) -> Path:
        return self.root / ".cache"

    @property
    def terraform(self) -> Path:
        return self.root / "terraform"

    @property
    def bootstrap(self) -> Path:
        return self.terraform / "bootstrap"

    @property
    def ansible(self) -> Path:
        return self.root / "ansible"

    @property
    def collections(self) -> Path:
        return self.root / "collections"

    def environment(self, env: str) -> Path:
        """The Terraform root module of an environment."""
        return self.terraform / "environments" / env

    def inventory(self, env: str) -> Path:
        return self.root / "inventories" / env

    def requests(self, env: str) -> Path:
        return self.root / "cert-requests" / env

    def runs(self, env: str) -> Path:
        """Run records, the heartbeat and the lock of an environment."""
        return self.cache / "runs" / env

    def work(self, kind: str, env: str) -> Path:
        """Terraform's working data; an emulated account and a real one never share it."""
        return self.cache / "terraform" / kind / env

    def shown(self, path: Path) -> str:
        """A path as messages name it: relative to where the user stands if it lies below, else in full."""
        try:
            return str(path.relative_to(Path.cwd()))
        except ValueError:
            return str(path)


def private_folder(path: Path) -> Path:
    """Make a folder that only this user can look into."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> Path:
    """Write a file that only this user can read, all of it or nothing."""
    if not path.parent.exists():
        private_folder(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
    temporary.replace(path)
    return path
