"""A run that changes nothing, against the raw tools doing the same work: `terraform plan` + `ansible-playbook`."""

from __future__ import annotations

import os
import shlex
import statistics
import subprocess
import sys

from benchmarks.measure import ROOT, Result, quiet, runner, seconds

ROUNDS = 3
GOAL = 1.05


def environment() -> dict[str, str]:
    lines = subprocess.run(runner("environment"), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    values = dict(os.environ)
    for line in lines.splitlines():
        words = shlex.split(line)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            values[name] = value
    return values


def run() -> list[Result]:
    env = environment()
    folder = str(ROOT / "terraform" / "environments" / "dev")
    plan = ["terraform", f"-chdir={folder}", "plan", "-input=false", "-detailed-exitcode", "-lock=false"]
    play = ["ansible-playbook", "ansible/playbooks/site.yml", "-i", "inventories/dev"]
    ours = runner("--only", "infrastructure", "--only", "configuration", "--yes")
    seconds(runner("--yes"))  # warm: nothing left to change
    if not quiet():
        print("this machine is busy: the ratio proves little", file=sys.stderr)
    raw_times, our_times = [], []
    for _ in range(ROUNDS):  # in turns, so that both see the same machine
        raw_times.append(seconds(plan, env) + seconds(play, env))
        our_times.append(seconds(ours))
    raw, mine = statistics.median(raw_times), statistics.median(our_times)
    return [
        Result(
            "no-op run / raw terraform plan + ansible-playbook", mine / raw, GOAL, "x", f"{mine:.1f} s / {raw:.1f} s"
        )
    ]
