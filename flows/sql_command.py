"""`dialoguellm sql`: one query, or a prompt for many. Imports neither prefect nor torch."""

from __future__ import annotations

import json
import re
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.output import Format, emit, emit_csv, reader, warn
from flows.read_commands import HERE, Workspace
from model.errors import SettingsError
from storage import queries
from storage.layout import Layout, open_workspace

if TYPE_CHECKING:
    import duckdb

TABLES = (
    "SELECT table_name AS name, lower(table_type) AS kind, "
    "string_agg(column_name, ', ' ORDER BY ordinal_position) AS columns "
    "FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) "
    "GROUP BY ALL ORDER BY kind, name"
)
MAX_CHARACTERS = 1 << 20
"""Of a query in a file."""
_BATCH = 10_000
_GIB = 1 << 30


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(epilog='Example: dialoguellm sql "select * from scores where run_id = \\$run" --param run=demo-2fa31b')(
        sql
    )


@reader
def sql(
    query: Annotated[str | None, typer.Argument(help="One query; - reads it from standard input.")] = None,
    workspace: Workspace = HERE,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the query from a file.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="name=value for $name in the query, bound and never spliced; repeatable."),
    ] = None,
    parquet: Annotated[bool, typer.Option("--parquet", help="Write Parquet to standard output (> file).")] = False,
    prompt: Annotated[
        bool, typer.Option("--prompt", "-i", help="Ask at a prompt, with history and completion.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=0.1, help="Stop a query that takes longer.")] = 60,
    memory: Annotated[str, typer.Option(help="What a query may take.")] = queries.MEMORY,
    *,
    form: Format,
) -> None:
    """Query the results, read-only. Without a query: list the tables and views."""
    layout = open_workspace(workspace)
    text = _text(query, file)
    asked = TABLES if text is None else text
    bound = parameters(param or [])
    if prompt:
        from flows.sql_prompt import converse

        if text is not None or parquet:
            raise SettingsError("--prompt takes no query, no --file and no --parquet")
        with _little_memory(memory):
            converse(lambda line: answer(layout, line, {}, form, seconds=seconds, memory=memory), _words(layout))
        return
    with _little_memory(memory):
        if parquet:
            _parquet(layout, asked, bound, seconds=seconds, memory=memory)
        else:
            answer(layout, asked, bound, form, seconds=seconds, memory=memory)


def answer(
    layout: Layout, text: str, bound: dict[str, Any], form: Format, *, seconds: float | None, memory: str
) -> None:
    """Asks and prints. CSV is printed as it is read; the other forms are held at once."""
    queries.fetch(layout, text)

    def ask() -> None:
        with queries.connect(layout, memory_limit=memory) as connection:
            if form is Format.csv:
                with queries.asking(connection, text, bound, seconds=seconds) as (columns, found):
                    emit_csv(columns, _batches(found))
            else:
                emit(*queries.query(connection, text, bound, seconds=seconds), form)

    queries.mended(layout, ask, warn)


def parameters(given: list[str]) -> dict[str, Any]:
    """``name=value`` as bound values: what JSON reads as a number, true, false, null or "text" is that, else text."""
    found: dict[str, Any] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if not (equals and name.isidentifier()):
            raise SettingsError(f"--param {item!r} is not name=value: for example, --param run=demo-2fa31b")
        try:
            read = json.loads(value)
        except ValueError:
            read = value
        found[name] = value if isinstance(read, list | dict) else read
    return found


def _text(query: str | None, file: Path | None) -> str | None:
    if query is not None and file is not None:
        raise SettingsError("give a query or --file, not both")
    if file is None:
        return sys.stdin.read() if query == "-" else query
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(MAX_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read as a query ({error}): name a text file with one query") from error
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"{file} has more than {MAX_CHARACTERS:,} characters: name a text file with one query")
    return text


def _batches(found: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_BATCH):
        yield rows


def _parquet(layout: Layout, text: str, bound: dict[str, Any], *, seconds: float, memory: str) -> None:
    import pyarrow.parquet as pq

    if sys.stdout.isatty():
        raise SettingsError("--parquet writes bytes: send them to a file with > answer.parquet")
    queries.fetch(layout, text)

    def ask() -> None:
        with (
            queries.connect(layout, memory_limit=memory) as connection,
            queries.asking(connection, text, bound, seconds=seconds, lazily=True) as (_, found),
        ):
            batches: Any = found.to_arrow_reader(_BATCH)
            with pq.ParquetWriter(sys.stdout.buffer, batches.schema, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)

    queries.mended(layout, ask, warn)


def _words(layout: Layout) -> list[str]:
    """Names of tables and columns, for completion."""
    text = "SELECT table_name FROM information_schema.columns UNION SELECT column_name FROM information_schema.columns"
    with queries.connect(layout) as connection:
        return sorted(name for (name,) in queries.query(connection, text)[1])


@contextmanager
def _little_memory(memory: str) -> Iterator[None]:
    """DuckDB does not count every long text that it holds; the process's own limit, while a query runs, does."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = now + 2 * _bytes(memory) + _GIB
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]) if before[1] < 0 else (min(limit, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _bytes(memory: str) -> int:
    found = re.fullmatch(r"(\d{1,6})\s*([MG])B", memory.strip(), re.IGNORECASE)
    if not found:
        raise SettingsError(f"--memory {memory!r} is no amount of memory: for example, 500MB or 2GB")
    return int(found[1]) * (_GIB if found[2] in "gG" else 1 << 20)
