"""Few large files in place of many small ones: of each table and stage key one sorted copy, which the views read.

A shard of a hundred-odd rows is right for work and resume, and slow to ask: to open 4,000 files takes seconds. So the
publisher writes the rows of a stage key's finished shards once more, sorted by utterance, into one file beside them,
named by a digest of what is in it. Pictures are left out: those stay in the shards alone.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from model.atomic import replacing
from model.errors import WorkspaceError
from storage import files
from storage.layout import Layout
from storage.mirror import identity
from storage.shards import check_part, file_sha256, known_sha256

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

LAKE_TABLES = (
    *("utterances", "keyframes", "captions", "instructions", "training_log", "dev_predictions", "predictions"),
    *("rejects", "reports"),
)
SCHEMA = "schema"
KEPT_S = 600.0
"""Seconds for which a copy stays after a publication that no longer reads it: a reader goes on with its snapshot."""

LEFT_OUT = {"keyframes": ("jpeg",)}
GROUPED = {
    "frames": (
        "keyframes",
        "utterance_id, list(round(time_s, 2) ORDER BY rank) AS frame_times_s, "
        "count(*) FILTER (suspect) AS suspect_frames",
    )
}
"""Copies that hold one row for several: the table they are made of, and their columns."""

_ORDER = {
    "keyframes": "utterance_id, rank",
    "training_log": "step",
    "dev_predictions": "utterance_id, system",
    "predictions": "utterance_id, system",
    "reports": "path",
}
_ROWS_PER_GROUP = 20_000

_FINISHED = """
    SELECT k.output, k.stage_key, list(s.shard ORDER BY s.shard),
           string_agg(concat_ws(' ', s.shard, s.sha256, s.rejects, s.finished_at), ',' ORDER BY s.shard)
    FROM (SELECT DISTINCT output, stage_key, false AS rejected FROM stages
          UNION ALL SELECT DISTINCT 'frames', stage_key, false FROM stages WHERE output = 'keyframes'
          UNION ALL SELECT DISTINCT 'rejects', stage_key, true FROM stages) k
    JOIN stage_shards s USING (stage_key)
    WHERE s.state = 'done' AND (NOT k.rejected OR s.rejects > 0)
    GROUP BY k.output, k.stage_key
"""


def refresh(
    connection: duckdb.DuckDBPyConnection, layout: Layout, *, anew: bool = False, keys: Collection[str] | None = None
) -> None:
    """Writes the copies that are missing, or all ``anew``, and notes them in the table ``copies``.

    Those of the stage ``keys``, None for all, are compared with their digests, and written again where they differ.

    Raises WorkspaceError naming the file where a part is damaged and all are made anew. Otherwise that stops nobody's
    run: the copy is an empty file then, and a query that needs it fails by its name.
    """
    known = dict(connection.execute("SELECT path, sha256 FROM copies").fetchall())
    found = [row for row in connection.execute(_FINISHED).fetchall() if row[0] in (*LAKE_TABLES, *GROUPED)]
    copies = []
    for table, stage_key, shards, content in found:
        path = layout.copy(table, stage_key, _digest(table, content))
        files.local(layout, path)
        looked_at = keys is None or stage_key in keys
        if anew or (not is_right(path, known.get(str(path))) if looked_at else not is_whole(path)):
            if is_whole(path) and not anew:
                why = "is not what was written" if known.get(str(path)) else "has no digest that is known"
                log.warning("%s %s: it is made again from its shards", path, why)
            parts = [layout.part(_source(table), stage_key, shard) for shard in shards]
            files.fetch(layout, parts)
            try:
                _write(connection, layout, table, path, parts)
                files.send_one(layout, path)
            except WorkspaceError:
                if anew:
                    raise
                path.write_bytes(b"")  # rows are never left out in silence
            known[str(path)] = file_sha256(path)
        copies.append((table, stage_key, str(path), known.get(str(path))))
    connection.execute("DELETE FROM copies")
    columns = [list(column) for column in zip(*copies, strict=True)] or [[], [], [], []]
    each = ", ".join(["unnest(?::VARCHAR[])"] * len(columns))
    connection.execute(f"INSERT INTO copies SELECT {each}", columns)


def is_whole(path: Path) -> bool:
    """Whether a copy is there and could be made."""
    return path.exists() and path.stat().st_size > 0


def is_right(path: Path, sha256: str | None) -> bool:
    """Whether a copy is there and has this digest; one of an earlier program, which noted none, is not known to be."""
    return is_whole(path) and sha256 is not None and known_sha256(path, *identity(path)) == sha256


def noted(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, Path, str | None]]:
    """Stage key, path and digest of each copy that a database reads; an earlier program noted no digest."""
    columns = (
        "SELECT column_name FROM duckdb_columns() WHERE table_name = 'copies' AND database_name = current_database()"
    )
    known = {name for (name,) in connection.execute(columns).fetchall()}
    if not known:  # of a program that had none
        return []
    digest = "sha256" if "sha256" in known else "NULL"
    found = connection.execute(f"SELECT stage_key, path, {digest} FROM copies ORDER BY path").fetchall()
    return [(key, Path(path), sha256) for key, path, sha256 in found]


def in_use(connection: duckdb.DuckDBPyConnection) -> set[Path]:
    """The copies that a database reads."""
    return {Path(path) for (path,) in connection.execute("SELECT path FROM copies").fetchall()}


def left(connection: duckdb.DuckDBPyConnection, before: Collection[Path]) -> set[Path]:
    """Notes which of the copies of ``before`` the database no longer reads; all that were left within ``KEPT_S``."""
    seconds = time.time()
    gone = [[str(path) for path in before]]
    connection.execute(f"INSERT OR IGNORE INTO left_copies SELECT unnest(?::VARCHAR[]), {seconds}", gone)
    connection.execute(
        f"DELETE FROM left_copies WHERE left_at < {seconds - KEPT_S} OR path IN (SELECT path FROM copies)"
    )
    return {Path(path) for (path,) in connection.execute("SELECT path FROM left_copies").fetchall()}


def move(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Makes a database that another machine published in a bucket name the copies of this one, and fetches them."""
    if not layout.mirror:
        return
    found = connection.execute("SELECT value FROM about WHERE name = 'workspace'").fetchall()
    if found and found[0][0] != str(layout.root):
        names = [found[0][0], str(layout.root)]
        connection.execute("UPDATE copies SET path = replace(path, ?, ?)", names)
        connection.execute("UPDATE summarised SET source = replace(source, ?, ?)", names)
    files.fetch(layout, in_use(connection))


def remove(layout: Layout, kept: Collection[Path]) -> None:
    """Removes the copies of these stage keys that are not to be kept, and what a killed publisher left."""
    for folder in {path.parent for path in kept}:
        for path in (*folder.glob("all-*.parquet"), *folder.glob(".all-*.tmp")):
            if path not in kept:
                with suppress(FileNotFoundError):
                    path.unlink()
        if layout.mirror:
            for name in layout.mirror.bucket.list(f"{layout.mirror.name(folder)}/all-"):
                if layout.root / name not in kept:
                    layout.mirror.delete(layout.root / name)


def empty(connection: duckdb.DuckDBPyConnection, layout: Layout, table: str) -> Path:
    """A copy without rows, so that a view has all of today's columns whatever there is."""
    path = layout.copy(table, SCHEMA, _digest(table, ""))
    if not path.exists():
        _write(connection, layout, table, path, [])
    return path


def empty_part(layout: Layout, table: str) -> Path:
    """An empty part with today's columns; written where there is none, or where it is damaged or of another version."""
    import pyarrow.parquet as pq

    from storage.tables import to_arrow

    path = layout.lake / table / SCHEMA / "part-empty.parquet"
    if not _has_columns(path, table):
        with replacing(path) as temporary:
            pq.write_table(to_arrow(table, []), temporary)
    return path


def _write(
    connection: duckdb.DuckDBPyConnection, layout: Layout, table: str, path: Path, parts: Collection[Path]
) -> None:
    import duckdb

    from storage.tables import SCHEMAS

    source = _source(table)
    kept = [name for name in SCHEMAS[source].names if name not in LEFT_OUT.get(source, ())]
    for part in parts:
        check_part(layout, part, kept)
    columns, grouped = (GROUPED[table][1], "GROUP BY ALL") if table in GROUPED else (", ".join(kept), "")
    with replacing(path) as temporary:
        try:
            connection.execute(
                f"COPY (SELECT {columns}, parse_filename(parse_dirpath(filename)) AS stage_key, "
                "TRY_CAST(regexp_extract(filename, 'part-(\\d+)', 1) AS INTEGER) AS shard "
                "FROM read_parquet(?, filename = true, union_by_name = true, hive_partitioning = false) "
                f"{grouped} ORDER BY {_ORDER.get(table, 'utterance_id')}) TO {quoted(temporary)} "
                f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROWS_PER_GROUP})",
                [[str(part) for part in (empty_part(layout, source), *parts)]],
            )
        except duckdb.Error as error:
            first = str(error).strip().partition("\n")[0]
            raise WorkspaceError(
                f"the rows of {path.parent} cannot be read ({first}): `dialoguellm fsck` names what is damaged, "
                "`dialoguellm fsck --repair` sets it aside"
            ) from error


def _digest(table: str, content: str) -> str:
    from storage.tables import SCHEMAS

    columns = GROUPED[table] if table in GROUPED else SCHEMAS[table]
    return hashlib.sha256(f"{columns}\n{content}".encode()).hexdigest()[:12]


def _source(table: str) -> str:
    """The table whose parts a copy is made of."""
    return GROUPED[table][0] if table in GROUPED else table


def _has_columns(path: Path, table: str) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from storage.tables import SCHEMAS

    try:
        return bool(pq.read_schema(path) == SCHEMAS[table])
    except (OSError, pa.ArrowException):
        return False


def quoted(path: Path | str) -> str:
    """A path or another text as SQL writes it."""
    return "'" + str(path).replace("'", "''") + "'"
