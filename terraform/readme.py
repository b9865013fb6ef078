"""Writes the tables of variables and outputs into the modules' READMEs, from the modules themselves.

python terraform/readme.py           write them
python terraform/readme.py --check   say which are not current, and exit with 1
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- begin: made by terraform/readme.py -->", "<!-- end -->"
BLOCK = re.compile(r'^(?:variable|output) "(?P<name>[^"]+)" \{\n(?P<body>.*?)^\}', re.MULTILINE | re.DOTALL)
DESCRIPTION = re.compile(r'^  description += "(?P<text>.*)"$', re.MULTILINE)
TYPE = re.compile(r"^  type += (?P<text>.+)$", re.MULTILINE)
DEFAULT = re.compile(r"^  default += (?P<text>.+)$", re.MULTILINE)


def blocks(path: Path) -> list[tuple[str, str]]:
    """Name and body of each top-level block of a file."""
    return [(match["name"], match["body"]) for match in BLOCK.finditer(path.read_text())] if path.is_file() else []


def first(pattern: re.Pattern[str], body: str) -> str:
    match = pattern.search(body)
    return match["text"].replace("|", "\\|") if match else ""


def variable(name: str, body: str) -> str:
    kind = first(TYPE, body)
    kind = "object" if kind.startswith("object(") else kind
    default = first(DEFAULT, body)
    return f"| `{name}` | {first(DESCRIPTION, body)} | `{kind}` | {f'`{default}`' if default else 'required'} |"


def tables(folder: Path) -> str:
    """Both tables as Markdown."""
    variables = [variable(name, body) for name, body in blocks(folder / "variables.tf")]
    outputs = [f"| `{name}` | {first(DESCRIPTION, body)} |" for name, body in blocks(folder / "outputs.tf")]
    lines = [BEGIN, "## Variables", "", "| name | what it is | type | default |", "|---|---|---|---|", *variables, ""]
    return "\n".join([*lines, "## Outputs", "", "| name | what it is |", "|---|---|", *outputs, END])


def current(path: Path) -> str:
    """The README with its tables as they should be."""
    text = path.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before.rstrip("\n") + "\n\n" + tables(path.parent) + (after or "\n")


def main(arguments: list[str]) -> int:
    stale = 0
    for path in [*sorted(HERE.glob("modules/*/README.md")), HERE / "bootstrap" / "README.md"]:
        wanted = current(path)
        if path.read_text() == wanted:
            continue
        if "--check" in arguments:
            print(
                f"{path.relative_to(HERE.parent)}: tables are not current; run `python terraform/readme.py`",
                file=sys.stderr,
            )
            stale = 1
        else:
            path.write_text(wanted)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
