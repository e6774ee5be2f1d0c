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

from model.atomic import replacing
from model.errors import WorkspaceError
from storage import files as stored
from storage import ledger
from storage.layout import Layout
from storage.ledger import Record
from storage.locks import WAREHOUSE, holding

if TYPE_CHECKING:
    import duckdb

OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
SCHEMA_FOLDER = "schema"

RUN_TABLES = (
    *("runs", "attempts", "stages", "shards", "predictions", "metrics"),
    *("test_reads", "exports", "counterfactuals"),
)


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
        stored.local(layout, layout.database)
        stored.refresh(layout, layout.comparisons)
        stored.fetch(layout, (path for run in facts for paths in run.files.values() for path in paths))
        with stored.replacing(layout, layout.database) as temporary:
            if layout.database.exists() and not rebuild:
                shutil.copyfile(layout.database, temporary)
            else:
                temporary.unlink()
            _update(temporary, layout, facts)


def readable(layout: Layout) -> Path:
    """The database to read, which may not be there; that of a bucket as a copy whose views name the copies here."""
    path = stored.local(layout, layout.database)
    etag = layout.mirror.etag(path) if layout.mirror else None
    if etag is None:
        return path
    here = layout.cache / "results" / f"{re.sub(r'[^0-9a-zA-Z-]', '', etag)}.duckdb"
    if not here.exists():
        for older in here.parent.glob("*.duckdb"):
            older.unlink(missing_ok=True)
        _write_empty_parts(layout)
        with replacing(here) as temporary:
            shutil.copyfile(path, temporary)
            _update(temporary, layout, None)
    return here


def _update(database: Path, layout: Layout, facts: Sequence[RunFacts] | None) -> None:
    """Brings the file up to date with these runs and the comparisons; without ``facts`` just its views."""
    import duckdb

    try:
        with duckdb.connect(str(database), config=dict(OFFLINE)) as connection:
            if facts is not None:
                _migrate(connection)
                for run in facts:
                    _replace_run(connection, run)
                _replace_comparisons(connection, layout)
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
    connection.begin()
    for table in RUN_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", [facts.run_id])
    for table, rows in facts.rows.items():
        _insert(connection, table, rows)
    for table, paths in facts.files.items():
        if paths:
            connection.execute(
                f"INSERT INTO {table} BY NAME SELECT ? AS run_id, * EXCLUDE (filename), "
                "parse_filename(parse_dirpath(filename)) AS stage_key "
                "FROM read_parquet(?, filename = true, union_by_name = true, hive_partitioning = false)",
                [facts.run_id, [str(path) for path in paths]],
            )
    connection.commit()


def _replace_comparisons(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    connection.begin()
    connection.execute("DELETE FROM comparisons")
    _insert(connection, "comparisons", ledger.comparisons(layout))
    connection.commit()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Record]) -> None:
    import pyarrow as pa

    if rows:
        names = dict.fromkeys(name for row in rows for name in row)  # Arrow would look at the first row alone
        incoming = pa.Table.from_pylist([{name: _cell(row.get(name)) for name in names} for row in rows])
        connection.register("incoming", incoming)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def _create_views(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """One view over each table of the lake (finished shards only), then the views that answer questions.

    Making a view opens every file under it; that is done only where a definition is new.
    """
    texts = [*(_lake_view(table, layout) for table in LAKE_VIEWS), *(text for _, text in _sql_files("views"))]
    wanted = [("views", "\n".join(texts)), ("workspace", str(layout.root))]
    if connection.execute("SELECT name, value FROM about WHERE name <> 'migration' ORDER BY name").fetchall() == wanted:
        return
    for text in texts:
        connection.execute(text)
    connection.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", wanted)


def _lake_view(table: str, layout: Layout) -> str:
    parts = pattern(layout.lake) / table / "*" / "part-*.parquet"
    return (
        f"CREATE OR REPLACE VIEW {table} AS "
        "SELECT * EXCLUDE (filename), parse_filename(parse_dirpath(filename)) AS stage_key, "
        "TRY_CAST(regexp_extract(filename, 'part-(\\d+)', 1) AS INTEGER) AS shard "
        f"FROM read_parquet({quoted(parts)}, filename = true, union_by_name = true, hive_partitioning = false) "
        "WHERE (stage_key, shard) IN (SELECT (stage_key, shard) FROM shards WHERE state = 'done')"
    )


LAKE_VIEWS = ("utterances", "keyframes", "captions", "instructions", "training_log", "dev_predictions", "rejects")


def _write_empty_parts(layout: Layout) -> None:
    """An empty part per table, so that a view has all of today's columns whatever parts there are."""
    import pyarrow.parquet as pq

    from storage.tables import to_arrow

    for table in LAKE_VIEWS:
        path = layout.lake / table / SCHEMA_FOLDER / "part-empty.parquet"
        if not _has_columns(path, table):
            with replacing(path) as temporary:
                pq.write_table(to_arrow(table, []), temporary)


def _has_columns(path: Path, table: str) -> bool:
    """False too where an earlier version of this program wrote the file, or where it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from storage.tables import SCHEMAS

    try:
        return bool(pq.read_schema(path) == SCHEMAS[table])
    except (OSError, pa.ArrowException):
        return False


def _sql_files(folder: str) -> list[tuple[str, str]]:
    found = files("storage").joinpath(folder).iterdir()
    texts = {item.name: item.read_text() for item in found if item.name.endswith(".sql")}
    read_by_others = ("lineage.sql", "scores.sql")
    return sorted(texts.items(), key=lambda item: (item[0] not in read_by_others, item[0]))


def _cell(value: Any) -> Any:
    if isinstance(value, str):  # a file name that is not UTF-8 may be quoted in an error
        return value.encode("utf-8", "replace").decode()
    return json.dumps(value, default=str, sort_keys=True) if isinstance(value, dict | list) else value


def pattern(path: Path) -> Path:
    """A pattern that matches just this path."""
    return Path(glob.escape(str(path)))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
