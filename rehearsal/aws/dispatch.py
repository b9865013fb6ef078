"""How moto finds the service that a request is for: it looks through its folders each time, a fifth of a request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

from moto import backends

from rehearsal.aws.patching import wraps_original


@wraps_original(backends)
@functools.cache
def list_of_moto_modules(original: Callable[[], Iterable[str]]) -> frozenset[str]:
    """Look once."""
    return frozenset(original())
