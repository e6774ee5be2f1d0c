"""results.duckdb: written by one publisher on a copy that then replaces the file, read by anybody at any time.

DuckDB lets one process write and a reader in another process blocks it; a reader of the replaced file simply keeps
its snapshot. Everything here can be rebuilt from the lake and the records of the runs. Rows stay in the lake: the file
is copied whole at every publication, so it holds what is small.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.atomic import replacing
from model.errors import WorkspaceError
from storage import ablations, catalogue, copies, counting, findings
from storage import files as stored
from storage.layout import Layout
from storage.ledger import Record
from storage.locks import WAREHOUSE, holding
from storage.shards import check_part

if TYPE_CHECKING:
    import duckdb

OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}

MEMORY = "2GB"
"""What publishing may take; sorting more than that goes through the disk."""

OF_A_SHARD = ("made_by", "sha256", "error", "tokens", "retries")

RUN_TABLES = ("runs", "attempts", "stages", "metrics", "test_reads", "exports", "counterfactuals")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the warehouse holds of one run: rows by table, and the Parquet files of its scores.

    ``rows["shards"]`` are those of its stage keys, which other runs may share.
    """

    run_id: str
    rows: Mapping[str, Sequence[Record]]
    files: Mapping[str, Sequence[Path]]


def publish(layout: Layout, facts: Sequence[RunFacts], *, rebuild: bool = False, mend: bool = False) -> None:
    """Writes these runs into results.duckdb; with ``rebuild`` from an empty file.

    The copies that these runs read are made again where they are damaged; with ``mend`` all are looked at.

    Raises WorkspaceError where the database or a file of the lake is damaged; the old database stays then.
    """
    with holding(layout, WAREHOUSE, wait_s=600):
        for left_over in layout.root.glob(f".{layout.database.name}.*"):  # of a publisher that was killed
            shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink(missing_ok=True)
        stored.local(layout, layout.database)
        for folder in (layout.comparisons, layout.seceu):
            stored.refresh(layout, folder)
        stored.fetch(layout, (path for run in facts for paths in run.files.values() for path in paths))
        with stored.replacing(layout, layout.database) as temporary:
            if layout.database.exists() and not rebuild:
                shutil.copyfile(layout.database, temporary)
            else:
                temporary.unlink()
            keys = None if mend else {row["stage_key"] for run in facts for row in run.rows.get("stages", ())}
            in_use = _update(temporary, layout, facts, keys, rebuild=rebuild)
        copies.remove(layout, in_use)


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
        with replacing(here) as temporary:
            shutil.copyfile(path, temporary)
            _brought_here(temporary, layout)
    return here


def _brought_here(database: Path, layout: Layout) -> None:
    """Makes a database that another machine published read the copies of this one."""
    import duckdb

    try:
        with duckdb.connect(str(database), config=dict(OFFLINE)) as connection:
            copies.move(connection, layout)
            catalogue.refresh(connection, layout)
            connection.execute("CHECKPOINT")
    except duckdb.Error as error:
        raise WorkspaceError(
            f"{layout.name}: results.duckdb cannot be read here ({_first_line(error)}): `dialoguellm warehouse rebuild`"
        ) from error


def _update(
    database: Path, layout: Layout, facts: Sequence[RunFacts], keys: Collection[str] | None, *, rebuild: bool
) -> set[Path]:
    """Brings a copy of the database up to date; the copies that it or a reader of it needs."""
    import duckdb

    try:
        with duckdb.connect(str(database), config=dict(OFFLINE)) as connection:
            connection.execute(f"SET memory_limit = '{MEMORY}'")
            _migrate(connection)
            copies.move(connection, layout)
            before = copies.in_use(connection)
            _replace_shards(connection, [row for run in facts for row in run.rows.get("shards", ())])
            for run in facts:
                _replace_run(connection, layout, run)
            _replace_what_is_of_no_run(connection, layout)
            copies.refresh(connection, layout, anew=rebuild, keys=keys)
            kept = copies.left(connection, before)
            counting.refresh(connection, layout)
            catalogue.refresh(connection, layout)
            connection.execute("CHECKPOINT")
            return copies.in_use(connection) | kept
    except duckdb.Error as error:
        what = "make room" if "No space left" in str(error) else "`dialoguellm fsck --repair`"
        raise WorkspaceError(
            f"{layout.database} cannot be brought up to date ({_first_line(error)}): {what}, then "
            "`dialoguellm warehouse rebuild`"
        ) from error
    finally:
        Path(f"{database}.wal").unlink(missing_ok=True)


def _migrate(connection: duckdb.DuckDBPyConnection) -> None:
    """Applies the migrations that this file has not seen yet, in the order of their numbers."""
    connection.execute("CREATE TABLE IF NOT EXISTS about (name VARCHAR PRIMARY KEY, value VARCHAR)")
    found = connection.execute("SELECT value FROM about WHERE name = 'migration'").fetchall()
    applied = found[0][0].split() if found else []
    if len(applied) == 1:  # an earlier program noted the last one alone
        applied = [name for name in catalogue.sql_files("migrations") if name <= applied[0]]
    for name, text in sorted(catalogue.sql_files("migrations").items()):
        if name not in applied:
            connection.execute(text)
            applied.append(name)
    connection.execute("INSERT OR REPLACE INTO about VALUES ('migration', ?)", [" ".join(applied)])


def _replace_run(connection: duckdb.DuckDBPyConnection, layout: Layout, facts: RunFacts) -> None:
    from storage.tables import SCHEMAS

    connection.begin()
    for table in RUN_TABLES:
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", [facts.run_id])
    for table, rows in facts.rows.items():
        if table != "shards":
            _insert(connection, table, rows)
    for table, paths in facts.files.items():
        if paths:
            for path in paths:
                check_part(layout, path, SCHEMAS[table].names)
            connection.execute(
                f"INSERT INTO {table} BY NAME SELECT ? AS run_id, * EXCLUDE (filename), "
                "parse_filename(parse_dirpath(filename)) AS stage_key "
                "FROM read_parquet(?, filename = true, union_by_name = true, hive_partitioning = false)",
                [facts.run_id, [str(path) for path in paths]],
            )
    connection.commit()


def _replace_shards(connection: duckdb.DuckDBPyConnection, rows: Sequence[Record]) -> None:
    """Shards belong to their stage key; what several runs tell of one is the same."""
    own = {(row["stage_key"], row["shard"]): row for row in rows}
    keys = _changed(connection, own)
    own = {place: row for place, row in own.items() if place[0] in keys}
    connection.begin()
    connection.execute("DELETE FROM stage_shards WHERE list_contains(?::VARCHAR[], stage_key)", [list(keys)])
    left_out = {"run_id", "stage"}
    _insert(
        connection,
        "stage_shards",
        [{name: value for name, value in row.items() if name not in left_out} for row in own.values()],
    )
    connection.commit()


def _changed(connection: duckdb.DuckDBPyConnection, own: Mapping[tuple[str, int], Record]) -> set[str]:
    """The stage keys of which the database does not hold just these shards: of thousands, most are as they were."""
    names = [*("stage_key", "shard", "state", "row_count", "rejects", "bytes", "seconds"), *OF_A_SHARD]
    keys = {key for key, _ in own}
    text = f"SELECT {', '.join(names)} FROM stage_shards WHERE list_contains(?::VARCHAR[], stage_key)"
    before = set(connection.execute(text, [list(keys)]).fetchall())
    now = {tuple(row.get(name) for name in names) for row in own.values()}
    return {str(row[0]) for row in before ^ now}


def _replace_what_is_of_no_run(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    scores, answers = findings.seceu(layout)
    found = {"comparisons": findings.comparisons(layout), "seceu_scores": scores, "seceu_answers": answers}
    found |= ablations.tables(layout)
    connection.begin()
    for table, rows in found.items():
        connection.execute(f"DELETE FROM {table}")
        _insert(connection, table, rows)
    connection.commit()


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Sequence[Record]) -> None:
    import pyarrow as pa

    if rows:
        names = dict.fromkeys(name for row in rows for name in row)
        incoming = pa.table({name: _column([row.get(name) for row in rows]) for name in names})
        connection.register("incoming", incoming)
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
        connection.unregister("incoming")


def _column(values: list[Any]) -> Any:
    """Values as Arrow: what is nested is JSON, what is no Unicode is "?"."""
    import pyarrow as pa

    if any(isinstance(value, dict | list) for value in values):
        values = [json.dumps(value, default=str, sort_keys=True) if value is not None else None for value in values]
    try:
        return pa.array(values)
    except UnicodeEncodeError:  # a file name that is not UTF-8 may be quoted in an error
        return pa.array([value and value.encode("utf-8", "replace").decode() for value in values])


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
