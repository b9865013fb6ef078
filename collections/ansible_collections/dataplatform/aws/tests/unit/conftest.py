"""Makes `ansible_collections.dataplatform.aws` importable when pytest runs from a checkout, without ansible-test."""

from __future__ import annotations

import sys
from pathlib import Path

COLLECTIONS = str(Path(__file__).resolve().parents[5])
if COLLECTIONS not in sys.path:
    sys.path.insert(0, COLLECTIONS)
