"""Queries over results.duckdb: read-only, of files nothing but this workspace's lake, within time and memory."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from model.errors import DialogueError, WorkspaceError
from storage import query_files
from storage.catalogue import pattern
from storage.copies import quoted
from storage.layout import Layout
from storage.query_files import DamagedCopies
from storage.warehouse import OFFLINE, publish, readable

if TYPE_CHECKING:
    import duckdb

MEMORY = "2GB"
ROWS = 1_000_000
"""Rows that ``query`` holds at once; more can be read batch by batch in ``asking``."""

Parameters = Sequence[Any] | Mapping[str, Any]


def connect(layout: Layout, *, memory_limit: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """A read-only connection that can open nothing but this workspace's lake, and puts nothing on the disk.

    Raises WorkspaceError where nothing has been published, or where the workspace was moved since.
    """
    import duckdb

    database = readable(layout)
    if not database.exists():
        raise WorkspaceError(
            f"{layout.name}/{layout.database.name} is not there yet: run a configuration, "
            "or `dialoguellm warehouse rebuild`"
        )
    connection = duckdb.connect(":memory:", config=dict(OFFLINE))
    try:  # attached: opened by its path, it would be the one that another thread of this process opened before
        connection.execute(f"ATTACH {quoted(database)} AS results (READ_ONLY)")
        connection.execute("USE results")
        written_at = connection.execute("SELECT value FROM about WHERE name = 'workspace'").fetchall()
    except duckdb.Error as error:
        connection.close()
        raise WorkspaceError(f"{database} cannot be read ({error}): `dialoguellm warehouse rebuild`") from error
    if written_at != [(str(layout.root),)]:
        connection.close()
        raise WorkspaceError(f"{layout.name} was moved since its last run: `dialoguellm warehouse rebuild` first")
    connection.execute(f"SET memory_limit = {quoted(memory_limit)}")
    connection.execute("SET temp_directory = ''")  # what does not fit fails, and is not written beside the results
    # an open file is compared with these by its name, and the views name theirs as patterns
    allowed = ", ".join({quoted(layout.lake), quoted(pattern(layout.lake))})
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def fetch(layout: Layout, text: str) -> None:
    """Copies the keyframes of a bucket where a query asks for pictures: they alone are not in the sorted copies."""
    if layout.mirror and re.search(r"\bpictures\b", text, re.IGNORECASE):
        names = layout.mirror.bucket.list("lake/keyframes/")
        layout.mirror.fetch_all(layout.root / name for name in names if re.search(r"/part-\d+\.parquet$", name))


def query(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Parameters = (), *, seconds: float | None = None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one reading statement. Errors as in ``asking``, and DialogueError beyond ROWS rows."""
    with asking(connection, text, parameters, seconds=seconds) as (columns, found):
        rows = found.fetchmany(ROWS + 1)
    if len(rows) > ROWS:
        raise DialogueError(f"the answer has more than {ROWS:,} rows: add a LIMIT, or write it with --csv or --parquet")
    return columns, rows


def mended(layout: Layout, ask: Callable[[], None], say: Callable[[str], None]) -> None:
    """Does ``ask``. Where it meets damaged copies, they are made again from their shards, with a line that says so."""
    try:
        ask()
    except DamagedCopies as damaged:
        publish(layout, [], mend=True)
        names = ", ".join(str(path) for path in damaged.paths[:3])
        more = f" and {len(damaged.paths) - 3} more" if len(damaged.paths) > 3 else ""
        say(f"made again from their shards, since they were damaged or had no digest: {names}{more}")
        ask()


@contextmanager
def asking(
    connection: duckdb.DuckDBPyConnection,
    text: str,
    parameters: Parameters = (),
    *,
    seconds: float | None = None,
    lazily: bool = False,
) -> Iterator[tuple[list[str], Any]]:
    """Column names of one reading statement, and what its rows are fetched from, inside the block.

    With ``lazily`` that is a relation of DuckDB's, which hands out Arrow as it goes, else the executed connection.
    ``parameters`` are bound to ``?`` or ``$name``, never spliced. Raises DialogueError where the statement fails, is no
    query, or it and the block take longer than ``seconds``; DamagedCopies where it would read what was not written.
    """
    import duckdb

    _check(connection, text)
    query_files.check(connection, text)
    late = threading.Event()

    def stop() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(seconds or 0, stop)
    timer.daemon = True
    try:
        if seconds:
            timer.start()
        bound = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        if lazily:
            relation = connection.sql(text, params=bound)
            yield list(relation.columns), relation
        else:
            found = connection.execute(text, bound)
            yield [item[0] for item in found.description or []], found
    except duckdb.Error as error:
        if late.is_set():
            advice = "narrow it down (WHERE run_id = …, LIMIT), or allow more with --seconds"
            raise DialogueError(f"the query was stopped after {seconds:g} s: {advice}") from error
        raise DialogueError(f"the query failed: {_said(error)}") from error
    except MemoryError as error:
        raise DialogueError("the query failed: its answer does not fit into memory; add a LIMIT") from error
    finally:
        timer.cancel()


def _check(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Lets through one statement that reads.

    A read-only connection still obeys COPY … TO and EXPORT inside the lake, bare or behind EXPLAIN ANALYZE.
    """
    import duckdb

    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise DialogueError(f"the query failed: {_said(error)}") from error
    if not statements:
        raise DialogueError("the query is empty: for example, select * from scores")
    for statement in statements:
        kind = statement.type.name
        harmless = kind in ("EXPLAIN", "MULTI") and not re.search(r"\b(copy|export)\b", text, re.IGNORECASE)
        if kind != "SELECT" and not harmless:
            raise DialogueError(f"only queries are allowed here, not {kind}: the results are read-only")
    if len(statements) > 1:
        raise DialogueError(f"these are {len(statements)} queries: ask them one at a time")


def _said(error: Exception) -> str:
    """DuckDB's message; where a file of the lake is gone or damaged, also what to do."""
    text = str(error).strip()
    lost = re.search(r"No files found|[Pp]arquet file|Cannot open file|magic bytes|Corrupt|checksum", text)
    return f"{text}: `dialoguellm warehouse rebuild` makes such files again, or names what is damaged" if lost else text
