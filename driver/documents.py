"""YAML documents that know the line of each of their keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class DocumentError(ValueError):
    """A file that is no YAML, or that says something twice; the message begins with ``file:line:``."""


@dataclass
class Document:
    """A file's content and the line of each value, by its path of keys and indexes."""

    shown: str
    value: Any
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)

    def where(self, *path: str | int) -> str:
        """``file:line`` of a value, or of the nearest one around it."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return f"{self.shown}:{self.lines[path[:end]]}"
        return f"{self.shown}:1"


def load(path: Path, shown: str | None = None) -> Document:
    """Read one file.

    :raises DocumentError: with file and line
    """
    name = shown or str(path)
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DocumentError(
            f"{name}:1: is no UTF-8 text ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from None
    try:
        node = loader.get_single_node()
        document = Document(name, None)
        if node is not None:
            _mark(node, (), document)
            document.value = loader.construct_document(node)
        return document
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError(f"{name}:{mark.line + 1 if mark else 1}: is no valid YAML: {what}") from None
    except yaml.YAMLError as error:
        raise DocumentError(f"{name}:1: is no valid YAML: {error}") from None
    finally:
        loader.dispose()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """SafeLoader that lets Ansible's own tags pass as text."""


def _text(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


for _tag in ("!vault", "!unsafe"):
    _Loader.add_constructor(_tag, _text)


def _mark(node: yaml.Node, path: tuple[str | int, ...], document: Document) -> None:
    document.lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _mark(child, (*path, index), document)
    if isinstance(node, yaml.MappingNode):
        for key, child in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else "?"
            line = key.start_mark.line + 1
            if (*path, name) in document.lines and name != "<<":
                first = document.lines[(*path, name)]
                raise DocumentError(f"{document.shown}:{line}: {name} is set twice (first in line {first}); keep one")
            _mark(child, (*path, name), document)
            document.lines[(*path, name)] = line
