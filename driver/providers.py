"""Where Terraform gets the AWS provider from: its registry, or a folder with a copy where the registry can't be
reached.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from driver.project import write_private

REGISTRY = "registry.terraform.io"
PROVIDER = f"{REGISTRY}/hashicorp/aws"
REACH = 3.0  # seconds


def settings(cache: Path, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variables that tell Terraform where providers are.

    In this order: ``TF_PLUGIN_MIRROR``; a command line configuration of the user's own; the registry, if it can be
    reached; Terraform's implied mirror folders (it finds those by itself); ``/opt/*/registry.terraform.io``.
    """
    values = os.environ if environment is None else environment
    plugins = cache / "terraform-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    found = {"TF_PLUGIN_CACHE_DIR": values.get("TF_PLUGIN_CACHE_DIR") or str(plugins)}
    mirror = _mirror(cache, values)
    if mirror:
        found["TF_CLI_CONFIG_FILE"] = str(write_private(cache / "terraform" / "cli.tfrc", _configuration(mirror)))
        # the cache would be a second copy of what lies on this machine already
        found["TF_PLUGIN_CACHE_DIR"] = ""
    elif Path(values.get("TF_CLI_CONFIG_FILE") or "/nonexistent").is_file():
        found["TF_CLI_CONFIG_FILE"] = str(values["TF_CLI_CONFIG_FILE"])
    return found


def _mirror(cache: Path, values: Mapping[str, str]) -> Path | None:
    named = values.get("TF_PLUGIN_MIRROR")
    if named:
        return Path(named)
    if Path(values.get("TF_CLI_CONFIG_FILE") or "/nonexistent").is_file():
        return None
    candidates = [
        path.parent for path in sorted(Path("/opt").glob(f"*/{REGISTRY}")) if (path / "hashicorp" / "aws").is_dir()
    ]
    if not candidates or any((folder / PROVIDER).is_dir() for folder in _implied(values)):
        return None
    chosen = cache / "terraform" / "cli.tfrc"  # asked the network once; the answer stays until the cache is emptied
    if chosen.is_file() or not _registry_answers():
        return candidates[0]
    return None


def _implied(values: Mapping[str, str]) -> list[Path]:
    """https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories"""
    home = Path(values.get("HOME", "/nonexistent"))
    shares = values.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")
    data = Path(values.get("XDG_DATA_HOME") or home / ".local" / "share")
    return [
        home / ".terraform.d" / "plugins",
        data / "terraform" / "plugins",
        *(Path(p) / "terraform" / "plugins" for p in shares),
    ]


def _registry_answers() -> bool:
    try:
        socket.create_connection((REGISTRY, 443), timeout=REACH).close()
        return True
    except OSError:
        return False


def _configuration(mirror: Path) -> str:
    return f"""provider_installation {{
  filesystem_mirror {{
    path    = "{mirror}"
    include = ["{REGISTRY}/*/*"]
  }}
}}
"""
