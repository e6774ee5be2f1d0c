"""Shards of the lake: a Parquet file of rows, one of rejects where there are any, and the manifest last.

A file without a manifest is not there. Nothing is written in place: a process killed at any instant leaves either
the whole shard or none of it (and perhaps a dot-named temporary file, which nothing reads).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from model.dialogue import Rejected
from storage import files, parquet
from storage.files import replacing, write_json
from storage.layout import Layout
from storage.tables import to_arrow

Manifest = dict[str, Any]


def write_shard(
    layout: Layout, table: str, stage_key: str, shard: int, rows: Iterable[Any], facts: Manifest
) -> Manifest:
    """Writes what a stage yields for one shard and returns its manifest.

    ``rows`` mixes rows of ``table``, ``Columns`` of many of them and ``Rejected``. ``facts`` (a dict filled while
    ``rows`` runs, if need be) is merged into the manifest, which also holds row counts, bytes and the SHA-256 of the
    file.
    """
    rejects: list[Rejected] = []
    target = layout.part(table, stage_key, shard)
    with replacing(layout, target) as temporary:
        count = parquet.write(temporary, table, _without(rows, rejects))
        digest = _sha256(temporary)
        # from here to the new manifest the shard is not there: an old manifest must not vouch for new rows
        files.unlink(layout, layout.manifest(table, stage_key, shard))
    _write_rejects(layout, stage_key, shard, rejects)
    manifest: Manifest = {
        **facts,
        "stage_key": stage_key,
        "shard": shard,
        "rows": count,
        "rejects": len(rejects),
        "rejected_utterances": len({row.utterance_id for row in rejects}),
        "bytes": target.stat().st_size,
        "sha256": digest,
    }
    write_json(layout, layout.manifest(table, stage_key, shard), manifest)
    files.unlink(layout, layout.failure(table, stage_key, shard))
    return manifest


def read_manifest(path: Path) -> Manifest | None:
    """A manifest as written, None where it is absent or not readable as one."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_rows(layout: Layout, table: str, stage_key: str, shard: int) -> list[Any]:
    """The rows of one finished shard. Raises WorkspaceError naming the file where it is damaged."""
    path = files.local(layout, layout.part(table, stage_key, shard))
    return [] if _no_rejects(table, path) else parquet.read_rows(path, table)


def read_columns(layout: Layout, table: str, stage_key: str, shard: int, names: Sequence[str]) -> list[list[Any]]:
    """Some columns of one finished shard, as lists of their cells; the others are not read. Errors as in read_rows."""
    path = files.local(layout, layout.part(table, stage_key, shard))
    return [[] for _ in names] if _no_rejects(table, path) else parquet.read_columns(path, table, names)


def read_table(
    layout: Layout, table: str, stage_key: str, shard: int, utterance_ids: Iterable[str] | None = None
) -> pa.Table:
    """One finished shard as Arrow, or only the rows of the named utterances."""
    path = files.local(layout, layout.part(table, stage_key, shard))
    return to_arrow("rejects", []) if _no_rejects(table, path) else parquet.read(path, table, utterance_ids)


def _no_rejects(table: str, path: Path) -> bool:
    return table == "rejects" and not path.exists()


def _write_rejects(layout: Layout, stage_key: str, shard: int, rejects: list[Rejected]) -> None:
    target = layout.part("rejects", stage_key, shard)
    if not rejects:
        files.unlink(layout, target)
        return
    with replacing(layout, target) as temporary:
        parquet.write(temporary, "rejects", rejects)


def _without(rows: Iterable[Any], rejects: list[Rejected]) -> Iterator[Any]:
    for row in rows:
        if isinstance(row, Rejected):
            rejects.append(row)
        else:
            yield row


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
