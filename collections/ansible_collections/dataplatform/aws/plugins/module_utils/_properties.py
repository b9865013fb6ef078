# Copyright: (c) 2026, the data platform provisioner's contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Java properties files: single keys are set and removed, everything else stays as it is.

The format is that of ``java.util.Properties.load(InputStream)``: ISO 8859-1, ``\\uXXXX`` beyond it, comments with ``#`` or
``!``, ``=``, ``:`` or blanks between key and value, a backslash at the end of a line continues it; of a key that stands
there twice the last one counts. Private to this collection; imports nothing from ansible.
"""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ENCODING = "iso-8859-1"
BLANKS = " \t\f"
SIMPLE_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
SENSITIVE = re.compile(r"(?i)passw|secret|sensitive\.props\.key$")
MASK = "(not shown)"
KEY_AND_VALUE = re.compile(r"\A((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)\Z", re.DOTALL)


class PropertiesError(ValueError):
    """Text or a value that is no properties file's. The message names line or key, and no value of a secret."""


@dataclass(frozen=True)
class Entry:
    """One logical line: its text with line breaks, and what it sets; a comment or blank line has no key."""

    text: str
    key: str | None = None
    value: str = ""


class Properties:
    """A properties file in memory."""

    def __init__(self, content: bytes) -> None:
        self.entries = list(_entries(content.decode(ENCODING)))
        first = next((line.text for line in self.entries if line.text.endswith("\n")), "\n")
        self.newline = "\r\n" if first.endswith("\r\n") else "\n"

    def __bytes__(self) -> bytes:
        return "".join(entry.text for entry in self.entries).encode(ENCODING)

    def get(self, key: str) -> str | None:
        """The value that Java reads, None without the key."""
        return next((entry.value for entry in reversed(self.entries) if entry.key == key), None)

    def set(self, key: str, value: str) -> bool:
        """Give the key this value, in its place, or at the end of the file when it is new. Returns whether it changed."""
        if self.get(key) == value:
            return False
        entry = Entry(f"{_escape_key(key)}={_escape_value(value)}{self.newline}", key, value)
        for index in reversed(range(len(self.entries))):
            if self.entries[index].key == key:
                self.entries[index] = entry
                return True
        self._end_last_line()
        self.entries.append(entry)
        return True

    def _end_last_line(self) -> None:
        """A line break where there is none, and no backslash that would take the next line in."""
        if not self.entries:
            return
        last = self.entries[-1]
        text = last.text.rstrip("\r\n")
        comment = text.lstrip(BLANKS)[:1] in ("#", "!") and "\n" not in text
        if _continues(text) and not comment:
            self.entries[-1] = Entry(text[:-1] + self.newline, last.key, last.value)
        elif last.text == text and text:
            self.entries[-1] = Entry(text + self.newline, last.key, last.value)

    def remove(self, key: str) -> bool:
        """Take the key out, each time it stands there. Returns whether it did."""
        kept = [entry for entry in self.entries if entry.key != key]
        changed = len(kept) != len(self.entries)
        self.entries = kept
        return changed


def text_of(key: str, value: t.Any) -> str | None:
    """A value as Ansible hands it over: None removes the key, booleans become true and false.

    :raises PropertiesError: a list or a dict
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise PropertiesError(f"{key} is a {type(value).__name__}; give text, a number, true, false or null")


def apply(properties: Properties, values: Mapping[str, str | None]) -> list[str]:
    """Set and remove keys. Returns the names of those that changed, sorted."""
    changed = []
    for key, value in values.items():
        if not key:
            raise PropertiesError("a key is empty")
        if properties.remove(key) if value is None else properties.set(key, value):
            changed.append(key)
    return sorted(changed)


def shown(properties: Properties, keys: Iterable[str], secret: Iterable[str], mark: str = MASK) -> str:
    """The lines of these keys for a diff; values of secret keys and of keys named like one are replaced by a mark."""
    hidden = set(secret)
    lines = []
    for key in keys:
        value = properties.get(key)
        if value is None:
            continue
        if value and (key in hidden or SENSITIVE.search(key)):
            value = mark
        lines.append(f"{key}={value}\n")
    return "".join(lines)


def _entries(text: str) -> t.Iterator[Entry]:
    """Split into logical lines. Only \\n, \\r and \\r\\n end a line, other than for str.splitlines."""
    lines = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)
    index = 0
    while index < len(lines):
        number, raw = index + 1, lines[index]
        logical = raw.rstrip("\r\n").lstrip(BLANKS)
        index += 1
        if not logical or logical[0] in "#!":
            yield Entry(raw)
            continue
        while _continues(logical) and index < len(lines):
            added = lines[index].rstrip("\r\n").lstrip(BLANKS)
            # As Java does: what follows a lone backslash begins anew, and may be a comment.
            comment = logical == "\\" and added[:1] in ("#", "!")
            raw += lines[index]
            logical = "" if comment else logical[:-1] + added
            index += 1
        if _continues(logical):
            logical = logical[:-1]
        yield _entry(raw, logical, number) if logical else Entry(raw)


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _entry(raw: str, logical: str, number: int) -> Entry:
    key, value = KEY_AND_VALUE.findall(logical)[0]
    try:
        return Entry(raw, _unescape(key), _unescape(value))
    except ValueError as error:
        raise PropertiesError(f"line {number}: \\u without four hexadecimal digits") from error


def _unescape(text: str) -> str:
    def one(match: re.Match[str]) -> str:
        escaped = match.group(1)
        if escaped[0] == "u":
            if len(escaped) != 5:
                raise ValueError("malformed")
            return chr(int(escaped[1:], 16))
        return SIMPLE_ESCAPES.get(escaped, escaped)

    plain = re.sub(r"\\(u[0-9A-Fa-f]{4}|.)", one, text, flags=re.DOTALL)
    # Java's characters are UTF-16 units: a pair of surrogates is one character here.
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def _escape(text: str, special: str) -> str:
    """Only what must be escaped: shell scripts read some of these files too."""
    found = []
    for char in text:
        if char in "\t\n\r\f":
            found.append({"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}[char])
        elif char in special:
            found.append(f"\\{char}")
        elif " " <= char <= "~":
            found.append(char)
        else:
            units = char.encode("utf-16-be", "surrogatepass")
            found.extend(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))
    return "".join(found)


def _escape_key(key: str) -> str:
    escaped = _escape(key, "\\=: ")
    return "\\" + escaped if escaped[0] in "#!" else escaped


def _escape_value(value: str) -> str:
    escaped = _escape(value, "\\")
    return "\\" + escaped if escaped.startswith(" ") else escaped
