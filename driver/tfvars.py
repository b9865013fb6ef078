"""Reads ``terraform.tfvars``: names and literal values, which is all that Terraform allows there.

HCL's native syntax: https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md. Not read: heredocs, templates and
functions (Terraform refuses the last two in these files as well).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from driver.documents import Document

TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      | (?P<newline>\n)
      | (?P<string>"(?:[^"\\\n]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
      | (?P<mark>[=:,{}\[\]])""",
    re.VERBOSE | re.DOTALL,
)
WORDS = {"true": True, "false": False, "null": None}


class TfvarsError(ValueError):
    """A value file that can't be read; the message begins with ``file:line:``."""


def load(path: Path, shown: str | None = None) -> Document:
    """The values of a file, and the line of each name and key.

    :param shown: how messages name the file
    :raises TfvarsError: what can't be read, where
    """
    return _Reader(path.read_text(), shown or str(path)).body()


class _Reader:
    def __init__(self, text: str, shown: str) -> None:
        self.shown = shown
        self.lines: dict[tuple[str | int, ...], int] = {}
        self.path: tuple[str | int, ...] = ()
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        line, position = 1, 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if match is None:
                raise self.error(line, f"can't read {text[position : position + 20].splitlines()[0]!r}")
            kind, value = str(match.lastgroup), match.group()
            if kind != "space":
                self.tokens.append((kind, value, line))
            line += value.count("\n")
            position = match.end()
        self.tokens.append(("end", "the end of the file", line))

    def error(self, line: int, what: str) -> TfvarsError:
        return TfvarsError(f"{self.shown}:{line}: {what}; write `name = value` with text, numbers, lists or objects")

    def next(self) -> tuple[str, str, int]:
        token = self.tokens[self.at]
        self.at += token[0] != "end"
        return token

    def skip(self, *values: str) -> None:
        while self.tokens[self.at][1] in ("\n", *values):
            self.at += 1

    def body(self) -> Document:
        found: dict[str, Any] = {}
        self.skip()
        while self.tokens[self.at][0] != "end":
            kind, name, line = self.next()
            if kind != "name":
                raise self.error(line, f"expected a name, found {name!r}")
            if name in found:
                raise self.error(line, f"{name} is set twice (first in line {self.lines[name,]})")
            self.expect("=")
            found[name] = self.inner(name, line)
            kind, text, line = self.next()
            if kind not in ("newline", "end"):
                raise self.error(line, f"{text!r} follows the value of {name}")
            self.skip()
        return Document(self.shown, found, self.lines)

    def inner(self, name: str | int, line: int) -> Any:
        """The value of a name, a key or a place in a list."""
        around, self.path = self.path, (*self.path, name)
        self.lines[self.path] = line
        value = self.value()
        self.path = around
        return value

    def expect(self, *marks: str) -> str:
        _, text, line = self.next()
        if text not in marks:
            raise self.error(line, f"expected {' or '.join(marks)}, found {text!r}")
        return text

    def value(self) -> Any:
        kind, text, line = self.next()
        if kind == "string":
            return self.string(text, line)
        if kind == "number":
            return json.loads(text)
        if kind == "name" and text in WORDS:
            return WORDS[text]
        if text == "[":
            return self.elements()
        if text == "{":
            return self.members()
        raise self.error(line, f"expected a value, found {text!r}")

    def string(self, text: str, line: int) -> str:
        plain = text.replace("$${", "").replace("%%{", "")
        if "${" in plain or "%{" in plain:
            raise self.error(line, f"{text} is a template")
        try:
            value = json.loads(text)
        except ValueError:
            raise self.error(line, f"{text} holds an unknown escape") from None
        return str(value).replace("$${", "${").replace("%%{", "%{")

    def elements(self) -> list[Any]:
        found: list[Any] = []
        self.skip()
        while self.tokens[self.at][1] != "]":
            found.append(self.inner(len(found), self.tokens[self.at][2]))
            self.skip()
            if self.tokens[self.at][1] != "]":
                self.expect(",")
                self.skip()
        self.next()
        return found

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.skip()
        while self.tokens[self.at][1] != "}":
            kind, name, line = self.next()
            if kind not in ("name", "string"):
                raise self.error(line, f"expected a name, found {name!r}")
            self.expect("=", ":")
            key = self.string(name, line) if kind == "string" else name
            found[key] = self.inner(key, line)
            self.skip(",")
        self.next()
        return found
