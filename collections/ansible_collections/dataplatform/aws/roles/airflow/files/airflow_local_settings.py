"""Changes to Airflow's own settings, imported when it starts. Managed by Ansible."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def create_async_metadata_engine(
    sql_alchemy_conn_async: str, *, connect_args: dict[str, Any], engine_args: dict[str, Any] | None = None
) -> AsyncEngine:
    """The engine of asynchronous code. Airflow's choice, asyncpg, takes no `sslrootcert`; psycopg does."""
    address = sql_alchemy_conn_async.replace("+asyncpg:", "+psycopg:", 1)
    return create_async_engine(address, connect_args=connect_args, **(engine_args or {}), future=True)


def finish_api_server() -> None:
    """Before the API server forks its workers: what each would do by itself is done once, and stays shared.

    The interface that tasks talk to generates its versions at its first request otherwise, for which a task waits five
    seconds in each worker. What the workers never collect as garbage, they do not copy either.
    """
    server = sys.modules.get("airflow.api_fastapi.main")
    if server is None:
        return
    for route in server.app.routes:
        mounted = getattr(route, "app", None)
        if getattr(mounted, "_cadwyn_initialized", None) is False:
            mounted._cadwyn_initialize()
    gc.freeze()


os.register_at_fork(before=finish_api_server)
