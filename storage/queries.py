"""Queries over results.duckdb: read-only, and of files nothing but this workspace's lake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from model.errors import DialogueError, WorkspaceError
from storage.layout import Layout
from storage.warehouse import OFFLINE, pattern, quoted

if TYPE_CHECKING:
    import duckdb


def connect(layout: Layout, *, memory_limit: str = "4GB") -> duckdb.DuckDBPyConnection:
    """A read-only connection that can open nothing but this workspace's lake.

    Raises WorkspaceError where nothing has been published, or where the workspace was moved since.
    """
    import duckdb

    if not layout.database.exists():
        raise WorkspaceError(
            f"{layout.database} is not there yet: run a configuration, or `dialoguellm warehouse rebuild`"
        )
    try:
        connection = duckdb.connect(str(layout.database), read_only=True, config=dict(OFFLINE))
        written_at = connection.execute("SELECT value FROM about WHERE name = 'workspace'").fetchall()
    except duckdb.Error as error:
        raise WorkspaceError(f"{layout.database} cannot be read ({error}): `dialoguellm warehouse rebuild`") from error
    if written_at != [(str(layout.root),)]:
        connection.close()
        raise WorkspaceError(f"{layout.root} was moved since its last run: `dialoguellm warehouse rebuild` first")
    connection.execute(f"SET memory_limit = '{memory_limit}'")
    # an open file is compared with these by its name, and the views name theirs as patterns
    allowed = ", ".join({quoted(layout.lake), quoted(pattern(layout.lake))})
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


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
