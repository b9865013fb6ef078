"""Where the platform is, which nodes serve it, who may log in."""

from __future__ import annotations

import json

from rich.table import Table

from driver import conduct, people
from driver.errors import DONE
from driver.run import Run


def run(run: Run) -> int:
    conduct.begin_quietly(run)
    bundle = run.connect().ca_bundle
    nodes = people.nodes(run)
    users = [{column: user.get(column) for column in people.COLUMNS} for user in people.users(run)]
    url = run.platform["urls"]["nifi"]
    if run.options.json:
        status = {
            "env": run.env,
            "account_id": run.environment.account_id,
            "ca_bundle": str(bundle) if bundle else None,
            "nifi": {"url": url, "nodes": nodes},
            "users": users,
        }
        print(json.dumps(status, indent=2))
        return DONE
    run.progress.line(f"{run.env}, account {run.environment.account_id}: {url}", "bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = ("instance_id", "private_ip", "az", "state")
    for column in columns:
        table.add_column(column)
    for node in nodes:
        table.add_row(*(str(node[column]) for column in columns))
    run.progress.show(table)
    run.progress.line("")
    run.progress.show(people.table(users))
    return DONE
