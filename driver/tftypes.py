"""The variables of a Terraform module, and which keys their objects have.

Terraform warns of a name that is no variable, and passes over a key that an object does not have:
https://developer.hashicorp.com/terraform/language/expressions/type-constraints#conversion-of-complex-types.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = re.compile(r'^\s*variable\s+"(?P<name>[^"]+)"', re.MULTILINE)
TYPE = re.compile(r"(?:^|\{)\s*type\s*=", re.MULTILINE)
TOKEN = re.compile(
    r'(?:\s|\#[^\n]*|//[^\n]*|/\*.*?\*/)*+(?P<text>"(?:[^"\\\n]|\\.)*"|[\w.-]+|[(){}\[\]=:,])', re.DOTALL
)
OPENING, CLOSING = ("(", "[", "{"), (")", "]", "}")


@dataclass(frozen=True)
class Type:
    """keys: those of an object, with their types; each: the type of every element of a list, a set or a map. Neither:
    a plain value, or anything.
    """

    keys: dict[str, Type] | None = None
    each: Type | None = None


def declared(folder: Path) -> dict[str, Type]:
    """The variables that a module declares. What can't be read of a type passes for anything."""
    found: dict[str, Type] = {}
    for path in sorted(folder.glob("*.tf")):
        text = path.read_text()
        for match in VARIABLE.finditer(text):
            following = VARIABLE.search(text, match.end())
            written = TYPE.search(text, match.end(), following.start() if following else len(text))
            try:
                found[match["name"]] = _Reader(text, written.end()).type() if written else Type()
            except ValueError:
                found[match["name"]] = Type()
    return found


def strangers(
    value: Any, known: Type, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], Collection[str]]]:
    """Keys that an object does not have, each with its path, and the keys that the object has."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if known.keys is not None and key not in known.keys:
                yield (*path, key), known.keys
                continue
            inner_type = known.keys[key] if known.keys is not None else known.each
            if inner_type:
                yield from strangers(inner, inner_type, (*path, key))
    elif isinstance(value, list) and known.each:
        for index, inner in enumerate(value):
            yield from strangers(inner, known.each, (*path, index))


class _Reader:
    """Reads one type. :raises ValueError: it is written in a way that is not known here"""

    def __init__(self, text: str, at: int) -> None:
        self.text = text
        self.at = at

    def peek(self) -> str:
        match = TOKEN.match(self.text, self.at)
        return match["text"] if match else ""

    def next(self) -> str:
        match = TOKEN.match(self.text, self.at)
        if match is None:
            raise ValueError
        self.at = match.end()
        return match["text"]

    def expect(self, *wanted: str) -> None:
        if self.next() not in wanted:
            raise ValueError

    def type(self) -> Type:
        name, found = self.next(), Type()
        if self.peek() != "(":
            return found
        self.next()
        if name == "object":
            found = Type(keys=self.keys())
        elif name == "optional":
            found = self.type()
        elif name in ("list", "set", "map"):
            found = Type(each=self.type())
        self.rest()  # such as an optional's default
        return found

    def keys(self) -> dict[str, Type]:
        found: dict[str, Type] = {}
        self.expect("{")
        while self.peek() != "}":
            name = self.next().strip('"')
            self.expect("=", ":")
            found[name] = self.type()
            if self.peek() == ",":
                self.next()
        self.next()
        return found

    def rest(self) -> None:
        """To the end of the parenthesis at hand."""
        depth = 1
        while depth:
            token = self.next()
            depth += (token in OPENING) - (token in CLOSING)
