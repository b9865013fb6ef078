"""`make bench`: run the benchmarks against a rehearsal of DEV and print a table of ratios with their goals.

`python -m benchmarks NAME …` runs only the named ones; `--list` names them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import access, bringup, lake, noop
from benchmarks.measure import Result

RESULTS = Path(__file__).resolve().parents[1] / ".cache" / "benchmarks.json"
BENCHMARKS = {"bringup": bringup.run, "lake": lake.run, "noop": noop.run, "access": access.run}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(BENCHMARKS))
        return 0
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    results: list[Result] = []
    for name in arguments.names or BENCHMARKS:
        print(f"== {name}", flush=True)
        results += BENCHMARKS[name]()
    show(results)
    RESULTS.write_text(json.dumps([result.as_dict() for result in results], indent=2) + "\n")
    return 0


def show(results: list[Result]) -> None:
    table = Table("what", "measured", "goal", "", title="Benchmarks")
    for result in results:
        table.add_row(result.name, result.text, result.goal_text, "reached" if result.reached else "missed")
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
