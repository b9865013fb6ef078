"""Shell lines that make terraform, ansible-playbook and the AWS tools work by hand exactly as in a run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from driver import conduct, state
from driver.errors import DONE
from driver.run import Run


def run(run: Run) -> int:
    conduct.begin_quietly(run)
    for name, value in sorted(variables(run).items()):
        print(f"export {name}={shlex.quote(value)}")
    if sys.stdout.isatty():
        run.progress.line(f'# use it like this:  eval "$({run.options.command} environment)"', "dim")
    return DONE


def variables(run: Run) -> dict[str, str]:
    """Everything that a run gives to Terraform and Ansible. Holds credentials when the target has some of its own."""
    target = run.connect()
    given = run.ansible.environment()
    kept = ("ANSIBLE_CONFIG", "ANSIBLE_HOME", "ANSIBLE_COLLECTIONS_PATH", "DATAPLATFORM_CA_BUNDLE", "PATH")
    found = {**target.environment, **{name: given[name] for name in kept if name in given}}
    found["TF_DATA_DIR"] = str(run.project.work(run.connector.kind, run.env))
    found.update({name: value for name, value in run.settings.items() if value})
    files: list[Path] = state.var_files(run)
    if files:
        found["DATAPLATFORM_TERRAFORM_VALUES"] = str(files[0])
        for command in ("plan", "destroy", "import", "console"):
            found[f"TF_CLI_ARGS_{command}"] = f"-var-file={files[0]}"
    return found
