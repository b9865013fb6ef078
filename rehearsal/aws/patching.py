"""How the mends replace parts of moto: by name, and only what exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def replaces(owner: Any, name: str | None = None) -> Callable[[F], F]:
    """Put the decorated function in the place of `owner.name` (default: the function's own name).

    Raises AttributeError when there is nothing of that name: then moto has changed, and the mend with it.
    """

    def put(function: F) -> F:
        target = name or function.__name__
        getattr(owner, target)
        setattr(owner, target, function)
        return function

    return put


def wraps_original(owner: Any, name: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Like `replaces`, but the decorated function gets the original function as its first argument."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        target = name or function.__name__
        original = getattr(owner, target)

        def mended(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        mended.__name__ = target
        mended.__doc__ = function.__doc__
        setattr(owner, target, mended)
        return mended

    return put


def adds(owner: Any, name: str | None = None) -> Callable[[F], F]:
    """Add the decorated function to `owner` under a name that must still be free there."""

    def put(function: F) -> F:
        target = name or function.__name__
        if target in vars(owner):
            raise AttributeError(f"moto already has {owner.__name__}.{target}: look whether the mend is still needed")
        setattr(owner, target, function)
        return function

    return put
