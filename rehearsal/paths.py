"""Where a rehearsal keeps what it makes: everything lies below `.cache/` of the checkout."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = CHECKOUT / ".cache"
STATE = CACHE / "rehearsal"
PODMAN = CACHE / "podman"
