"""Opens the collection's own code to the driver, so that a rule (what a request may say, whom a DN matches) exists
once.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

COLLECTIONS = Path(__file__).resolve().parents[1] / "collections"
PACKAGE = "ansible_collections.dataplatform.aws.plugins.module_utils"


def module(name: str) -> ModuleType:
    """A module below the collection's module_utils."""
    if str(COLLECTIONS) not in sys.path:
        sys.path.insert(0, str(COLLECTIONS))
    return importlib.import_module(f"{PACKAGE}.{name}")
