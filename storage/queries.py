"""Queries over results.duckdb: read-only, and of files nothing but this workspace's lake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.errors import DialogueError, WorkspaceError
from storage.layout import Layout
from storage.warehouse import LAKE_VIEWS, OFFLINE, pattern, quoted, readable

if TYPE_CHECKING:
    import duckdb


def connect(layout: Layout, *, memory_limit: str = "4GB") -> duckdb.DuckDBPyConnection:
    """A read-only connection that can open nothing but this workspace's lake.

    Raises WorkspaceError where nothing has been published, or where the workspace was moved since.
    """
    import duckdb

    database = readable(layout)
    if not database.exists():
        raise WorkspaceError(
            f"{layout.name}/{layout.database.name} is not there yet: run a configuration, "
            "or `dialoguellm warehouse rebuild`"
        )
    try:
        connection = duckdb.connect(str(database), read_only=True, config=dict(OFFLINE))
        written_at = connection.execute("SELECT value FROM about WHERE name = 'workspace'").fetchall()
    except duckdb.Error as error:
        raise WorkspaceError(f"{database} cannot be read ({error}): `dialoguellm warehouse rebuild`") from error
    if written_at != [(str(layout.root),)]:
        connection.close()
        raise WorkspaceError(f"{layout.name} was moved since its last run: `dialoguellm warehouse rebuild` first")
    connection.execute(f"SET memory_limit = '{memory_limit}'")
    # an open file is compared with these by its name, and the views name theirs as patterns
    allowed = ", ".join({quoted(layout.lake), quoted(pattern(layout.lake))})
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def fetch(layout: Layout, connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Copies the finished files of a bucket that a query reads; a folder's are there."""
    if not layout.mirror:
        return
    wanted = _tables_of(connection, text)
    names = (name for table in sorted(wanted) for name in layout.mirror.bucket.list(f"lake/{table}/"))
    parts = (layout.root / name for name in names if name.endswith(".parquet"))
    layout.mirror.fetch_all(parts)


def _tables_of(connection: duckdb.DuckDBPyConnection, text: str) -> set[str]:
    """The tables of the lake that a query reads, by itself or by way of views."""
    views = dict(connection.execute("SELECT view_name, sql FROM duckdb_views() WHERE NOT internal").fetchall())
    found: set[str] = set()
    todo = [text]
    while todo:
        words = {*re.findall(r"[a-z_]+", todo.pop().lower())} - found
        found |= words
        todo += [views[word] for word in words if word in views and word not in LAKE_VIEWS]
    return found & {*LAKE_VIEWS}


def query(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Sequence[Any] = ()
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one reading statement. Raises DialogueError where it fails or is not a query.

    A read-only connection still obeys COPY … TO and EXPORT inside the lake, bare or behind EXPLAIN ANALYZE; hence
    only statements that read are let through.
    """
    import duckdb

    try:
        statements = connection.extract_statements(text)
        if not statements:
            raise DialogueError("the query is empty: for example, select * from scores")
        for statement in statements:
            kind = statement.type.name
            harmless = kind in ("EXPLAIN", "MULTI") and not re.search(r"\b(copy|export)\b", text, re.IGNORECASE)
            if kind != "SELECT" and not harmless:
                raise DialogueError(f"only queries are allowed here, not {kind}: the results are read-only")
        found = connection.execute(text, list(parameters))
        return [item[0] for item in found.description or []], found.fetchall()
    except duckdb.Error as error:
        raise DialogueError(f"the query failed: {str(error).strip()}") from error
