"""results.duckdb: written by one publisher on a copy that then replaces the file, read by anybody at any time.

DuckDB lets one process write and a reader in another process blocks it; a reader of the replaced file simply keeps
its snapshot. Everything here can be rebuilt from the lake and the records of the runs.
"""

from __future__ import annotations

import glob
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import DialogueError, WorkspaceError
from storage.atomic import replacing
from storage.layout import Layout
from storage.ledger import Record
from storage.locks import WAREHOUSE, holding

if TYPE_CHECKING:
    import duckdb

OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
SCHEMA_FOLDER = "schema"
Table = tuple[list[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the warehouse holds of one run: rows by table, and the Parquet files of its results."""

    run_id: str
    rows: Mapping[str, Sequence[Record]]
    files: Mapping[str, Sequence[Path]]


def publish(layout: Layout, facts: Sequence[RunFacts], *, rebuild: bool = False) -> None:
    """Writes these runs into results.duckdb; with ``rebuild`` from an empty file.

    Raises WorkspaceError where the database or a file of the lake is damaged; the old database stays then.
    """
    _write_empty_parts(layout)
    with holding(layout, WAREHOUSE, wait_s=600):
        for left_over in layout.root.glob(f".{layout.database.name}.*"):  # of a publisher that was killed
            left_over.unlink(missing_ok=True)
        with replacing(layout.database) as temporary:
            if layout.database.exists() and not rebuild:
                shutil.copyfile(layout.database, temporary)
            else:
                temporary.unlink()
            _update(temporary, layout, facts)


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
    allowed = ", ".join({_quoted(layout.lake), _quoted(_pattern(layout.lake))})
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def query(connection: duckdb.DuckDBPyConnection, text: str, parameters: Sequence[Any] = ()) -> Table:
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


def _update(database: Path, layout: Layout, facts: Sequence[RunFacts]) -> None:
    import duckdb

    try:
        with duckdb.connect(str(database), config=dict(OFFLINE)) as connection:
            _migrate(connection)
            for run in facts:
                _replace_run(connection, run)
            _create_views(connection, layout)
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise WorkspaceError(
            f"{layout.database} cannot be brought up to date ({_first_line(error)}): "
            "`dialoguellm warehouse rebuild`; where this names a file of the lake, delete that file first"
        ) from error
    finally:
        Path(f"{database}.wal").unlink(missing_ok=True)


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Applies the numbered migrations that this file has not seen yet."""
    connection.execute("CREATE TABLE IF NOT EXISTS about (name VARCHAR PRIMARY KEY, value VARCHAR)")
    found = connection.execute("SELECT value FROM about WHERE name = 'migration'").fetchall()
    applied = found[0][0] if found else ""
    for name, text in _sql_files("migrations"):
        if name > applied:
            connection.execute(text)
            connection.execute("INSERT OR REPLACE INTO about VALUES ('migration', ?)", [name])


def _replace_run(connection: duckdb.DuckDBPyConnection, facts: RunFacts) -> None:
    import pyarrow as pa

    connection.begin()
    for table in ("runs", "attempts", "stages", "shards", "predictions", "metrics", "test_reads"):
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", [facts.run_id])
    for table, rows in facts.rows.items():
        if rows:
            incoming = pa.Table.from_pylist([{name: _cell(value) for name, value in row.items()} for row in rows])
            connection.register("incoming", incoming)
            connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
            connection.unregister("incoming")
    for table, paths in facts.files.items():
        if paths:
            connection.execute(
                f"INSERT INTO {table} BY NAME SELECT ? AS run_id, * EXCLUDE (filename), "
                "parse_filename(parse_dirpath(filename)) AS stage_key "
                "FROM read_parquet(?, filename = true, hive_partitioning = false)",
                [facts.run_id, [str(path) for path in paths]],
            )
    connection.commit()


def _create_views(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """One view over each table of the lake (finished shards only), then the views that answer questions."""
    connection.execute("INSERT OR REPLACE INTO about VALUES ('workspace', ?)", [str(layout.root)])
    for table in LAKE_VIEWS:
        parts = _pattern(layout.lake) / table / "*" / "part-*.parquet"
        connection.execute(
            f"CREATE OR REPLACE VIEW {table} AS "
            "SELECT * EXCLUDE (filename), parse_filename(parse_dirpath(filename)) AS stage_key, "
            "TRY_CAST(regexp_extract(filename, 'part-(\\d+)', 1) AS INTEGER) AS shard "
            f"FROM read_parquet({_quoted(parts)}, filename = true, union_by_name = true, hive_partitioning = false) "
            "WHERE (stage_key, shard) IN (SELECT (stage_key, shard) FROM shards WHERE state = 'done')"
        )
    for _, text in _sql_files("views"):
        connection.execute(text)


LAKE_VIEWS = ("utterances", "keyframes", "captions", "instructions", "training_log", "rejects")


def _write_empty_parts(layout: Layout) -> None:
    """An empty part per table, so that a view has its columns before the first row exists."""
    import pyarrow.parquet as pq

    from storage.tables import to_arrow

    for table in LAKE_VIEWS:
        path = layout.lake / table / SCHEMA_FOLDER / "part-empty.parquet"
        if not path.exists():
            with replacing(path) as temporary:
                pq.write_table(to_arrow(table, []), temporary)


def _sql_files(folder: str) -> list[tuple[str, str]]:
    found = files("storage").joinpath(folder).iterdir()
    texts = {item.name: item.read_text() for item in found if item.name.endswith(".sql")}
    first = "lineage.sql"  # other views read it
    return sorted(texts.items(), key=lambda item: (item[0] != first, item[0]))


def _cell(value: Any) -> Any:
    if isinstance(value, str):  # a file name that is not UTF-8 may be quoted in an error
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value, default=str, sort_keys=True) if isinstance(value, dict | list) else value


def _pattern(path: Path) -> Path:
    """A pattern that matches just this path."""
    return Path(glob.escape(str(path)))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
