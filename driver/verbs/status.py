"""Where the platform is, which nodes serve it, what lies in the lake, who may log in."""

from __future__ import annotations

import json
from typing import Any

from rich.table import Table

from driver import conduct, fleets, lake, people, playbooks
from driver.errors import DONE, DriverError
from driver.run import Run
from driver.stages import preflight

NODE = ("instance_id", "private_ip", "az", "state")


def run(run: Run) -> int:
    conduct.begin_quietly(run)
    found = look(run)
    if run.options.json:
        print(json.dumps(found, indent=2))
    else:
        show(run, found)
    return DONE


def look(run: Run) -> dict[str, Any]:
    """Everything that status says, for machines.

    :returns: ``nifi`` {url, nodes}, ``airflow`` {url, nodes, components} and ``lake`` (both None on a platform
        without Airflow), ``users``
    """
    bundle, urls = run.connect().ca_bundle, run.platform["urls"]
    nodes = people.nodes(run)
    with_airflow = fleets.has_airflow(run.platform)
    return {
        "env": run.env,
        "account_id": run.environment.account_id,
        "ca_bundle": str(bundle) if bundle else None,
        "nifi": {"url": urls["nifi"], "nodes": people.of_role(nodes, "nifi")},
        "airflow": _airflow(run, people.of_role(nodes, "airflow")) if with_airflow else None,
        "lake": lake.look(run) if with_airflow else None,
        "users": [{column: user.get(column) for column in people.COLUMNS} for user in people.users(run)],
    }


def _airflow(run: Run, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    """Airflow's own word on its components, asked on one of its hosts; why not, where that can't be had."""
    path = run.folder / "status.json"
    shown = {"url": run.platform["urls"]["airflow"], "nodes": nodes}
    if not nodes:
        return {**shown, "components": {}, "unknown": "there is no host to ask"}
    try:
        preflight.reaches_hosts(run, ("hosts",))
        outcome = run.ansible.silent().run("airflow-status.yml", {"status_report": str(path)})
    except DriverError as error:
        return {**shown, "components": {}, "unknown": error.message}
    components = playbooks.report(path).get("components", {})
    if not outcome.ok:
        return {**shown, "components": components, "unknown": "; ".join(map(str, outcome.failures))}
    return {**shown, "components": components, **({} if components else {"unknown": "no api-server was found"})}


def show(run: Run, found: dict[str, Any]) -> None:
    """The same, for people."""
    line = run.progress.line
    line(f"{found['env']}, account {found['account_id']}", "bold")
    line(f"NiFi:     {found['nifi']['url']}")
    if found["airflow"]:
        line(f"Airflow:  {found['airflow']['url']}")
        line(f"          {components_line(found['airflow'])}")
    line("")
    run.progress.show(nodes_table([*found["nifi"]["nodes"], *(found["airflow"] or {}).get("nodes", [])]))
    line("")
    if found["lake"]:
        run.progress.show(lake.table(found["lake"]))
        line(f"last run: {lake.last_run(found['lake'])}")
        line("")
    run.progress.show(people.table(found["users"]))


def components_line(airflow: dict[str, Any]) -> str:
    """``scheduler healthy, triggerer healthy, …``, and what is not known."""
    parts = [f"{name} {component['status']}" for name, component in airflow["components"].items()]
    if airflow.get("unknown"):
        parts.append(f"health unknown: {airflow['unknown']}")
    return ", ".join(parts)


def nodes_table(nodes: list[dict[str, Any]]) -> Table:
    """Instances, one a line."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("role", *NODE):
        table.add_column(column)
    for node in nodes:
        table.add_row(*(str(node[column]) for column in ("role", *NODE)))
    return table
