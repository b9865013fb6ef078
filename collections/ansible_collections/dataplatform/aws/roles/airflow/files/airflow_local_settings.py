"""Changes to Airflow's own settings, imported when it starts. Managed by Ansible."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


def create_async_metadata_engine(
    sql_alchemy_conn_async: str, *, connect_args: dict[str, Any], engine_args: dict[str, Any] | None = None
) -> AsyncEngine:
    """The engine of asynchronous code. Airflow's choice, asyncpg, takes no `sslrootcert`; psycopg does."""
    address = sql_alchemy_conn_async.replace("+asyncpg:", "+psycopg:", 1)
    return create_async_engine(address, connect_args=connect_args, **(engine_args or {}), future=True)
