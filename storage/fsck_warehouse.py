"""Whether results.duckdb can be read through, and tells what the lake has. DuckDB keeps a checksum of each block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.copies import noted
from storage.fsck import AGAIN, Fault
from storage.fsck_files import Files, files_of
from storage.layout import Layout
from storage.shards import read_manifest
from storage.warehouse import OFFLINE

if TYPE_CHECKING:
    import duckdb

REBUILD = "`fsck --repair`, or `dialoguellm warehouse rebuild`"

_SHARDS = """
    SELECT DISTINCT k.output, k.stage, k.stage_key, s.shard, s.sha256
    FROM stage_shards s JOIN (SELECT DISTINCT output, stage, stage_key FROM stages) k USING (stage_key)
    WHERE s.state = 'done'
    ORDER BY ALL
"""


def warehouse(layout: Layout, wanted: Callable[[str], bool]) -> Iterator[Fault]:
    """Faults of the database; of its rows and copies those of the stage keys that are ``wanted``."""
    import duckdb

    files = files_of(layout)
    if not files.exists(layout.database):
        return
    if layout.mirror:
        files.sha256(layout.database)  # a copy of it that is another is fetched again
        layout.mirror.fetch(layout.database)
    try:
        with duckdb.connect(str(layout.database), read_only=True, config=dict(OFFLINE)) as connection:
            _read_through(connection)
            shards = connection.execute(_SHARDS).fetchall()
            about = dict(connection.execute("SELECT name, value FROM about").fetchall())
            copies = noted(connection)
    except (duckdb.Error, UnicodeDecodeError) as error:
        yield _fault(layout.database.name, f"it cannot be read ({str(error).strip().partition(chr(10))[0]})")
        return
    yield from _rows(layout, [row for row in shards if wanted(row[2])])
    root = Path(str(about.get("workspace")))
    if layout.mirror or root == layout.root:  # else the workspace was moved, which queries say by themselves
        own = [(path, digest) for key, path, digest in copies if wanted(key)]
        if any(not path.is_relative_to(root) for path, _ in own):
            yield _fault(layout.database.name, "it names files outside of the workspace")
            return
        yield from _files(layout, files, [(layout.root / path.relative_to(root), digest) for path, digest in own])


def _read_through(connection: duckdb.DuckDBPyConnection) -> None:
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
    for (table,) in tables:
        connection.execute(f'SELECT bit_xor(hash(t)) FROM "{table}" t').fetchall()


def _rows(layout: Layout, shards: list[tuple[Any, ...]]) -> Iterator[Fault]:
    for table, stage, key, shard, digest in shards:
        place = layout.manifest(table, key, shard)
        manifest = read_manifest(place)
        if manifest is None and not place.exists():
            name = place.relative_to(layout.root).as_posix()
            detail = "results.duckdb knows this shard as done, and its manifest is gone"
            part = layout.part(table, key, shard)
            yield Fault("missing", name, detail, AGAIN, stage, shard, key, (part, layout.part("rejects", key, shard)))
        elif manifest is not None and digest is not None and manifest.get("sha256") != digest:
            detail = f"it tells of other rows of {stage} {shard} ({key}) than the lake has"
            yield _fault(layout.database.name, detail)


def _files(layout: Layout, files: Files, copies: list[tuple[Path, str | None]]) -> Iterator[Fault]:
    for file, digest in copies:
        name = file.relative_to(layout.root).as_posix()
        try:
            if not files.size(file):
                yield _fault(name, "this copy for queries could not be made")
            elif digest is not None and files.sha256(file) != digest:
                yield _fault(name, "this copy for queries is not what was written")
        except FileNotFoundError:
            yield _fault(name, "this copy for queries is not there")


def _fault(file: str, detail: str) -> Fault:
    return Fault("warehouse", file, detail, REBUILD)
