"""What lies in the lake, asked of AWS through the collection, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from driver import collection
from driver.errors import DriverError
from driver.run import Run

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def look(run: Run) -> dict[str, Any]:
    """Objects and bytes by layer, tables with their rows, and the last run that wrote.

    :raises DriverError: AWS does not answer, or a table's metadata can't be read
    """
    module, errors = collection.module("_lake"), collection.module("_aws").AwsError
    try:
        return dict(module.look(run.account.client("s3"), run.account.client("glue"), run.platform))
    except (BotoCoreError, ClientError, errors, module.LakeError) as error:
        raise DriverError(
            f"the lake: {error}", "the credentials need to list the lake's buckets and read the Glue catalog"
        ) from None


def layers(lake: Mapping[str, Any]) -> list[str]:
    """The names of the layers, in the order in which data passes them."""
    return [name for name in collection.module("_lake").LAYERS if name in lake]


def table(lake: Mapping[str, Any]) -> Table:
    """Layers and tables, one a line."""
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("lake")
    for column in ("objects", "size", "rows"):
        shown.add_column(column, justify="right")
    shown.add_column("written")
    for name in layers(lake):
        layer = lake[name]
        more = "" if layer.get("complete", True) else "+"
        rows = f"{layer['rows']:,}" if layer.get("rows") is not None else ""
        shown.add_row(name, f"{layer['objects']:,}{more}", size(layer["bytes"]) + more, rows, "")
        for entry in lake.get("tables", []):
            if entry["layer"] == name:
                cells = (f"{entry['files']:,}", size(entry["bytes"]), f"{entry['rows']:,}", entry["updated"] or "never")
                shown.add_row(f"  {entry['name']}", *cells)
    return shown


def last_run(lake: Mapping[str, Any]) -> str:
    """The last run in a few words."""
    found = lake.get("last_run")
    if not found:
        return "no run has written to a table yet"
    if found.get("run_id"):
        return f"{found['dag_id']} {found['run_id']}: {found['state']}, ended {found['ended'] or 'not yet'}"
    job = f" by {found['job']}" if found.get("job") else ""
    return f"{found['at']}: {found['operation'] or 'write'} of {found['table']}{job}"


def size(count: float) -> str:
    """Bytes as people read them: ``1.5 MiB``."""
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")
