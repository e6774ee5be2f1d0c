"""Shards of the lake: a Parquet file of rows, one of rejects where there are any, and the manifest last.

A file without a manifest is not there. Nothing is written in place: a process killed at any instant leaves either
the whole shard or none of it (and perhaps a dot-named temporary file, which nothing reads).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model.atomic import replacing, write_json
from model.dialogue import Rejected
from model.errors import WorkspaceError
from storage.layout import Layout
from storage.tables import ROWS_PER_GROUP, SCHEMAS, from_arrow, to_arrow

Manifest = dict[str, Any]


def write_shard(
    layout: Layout, table: str, stage_key: str, shard: int, rows: Iterable[Any], facts: Manifest
) -> Manifest:
    """Writes what a stage yields for one shard and returns its manifest.

    ``rows`` mixes rows of ``table`` with ``Rejected``; ``facts`` (a dict filled while ``rows`` runs, if need be) is
    merged into the manifest, which also holds row counts, bytes and the SHA-256 of the file.
    """
    group = ROWS_PER_GROUP.get(table, 10_000)
    rejects: list[Rejected] = []
    target = layout.part(table, stage_key, shard)
    with replacing(target) as temporary:
        count = _write_parquet(temporary, table, _without(rows, rejects), group)
        digest = _sha256(temporary)
        # from here to the new manifest the shard is not there: an old manifest must not vouch for new rows
        layout.manifest(table, stage_key, shard).unlink(missing_ok=True)
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
    write_json(layout.manifest(table, stage_key, shard), manifest)
    with suppress(FileNotFoundError):
        layout.failure(table, stage_key, shard).unlink()
    return manifest


def read_manifest(path: Path) -> Manifest | None:
    """A manifest as written, None where it is absent or not readable as one."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def read_rows(layout: Layout, table: str, stage_key: str, shard: int) -> list[Any]:
    """The rows of one finished shard. Raises WorkspaceError naming the file where it is damaged."""
    data = read_table(layout, table, stage_key, shard)
    try:
        return from_arrow(table, data)
    except (UnicodeDecodeError, KeyError) as error:
        raise _damaged(layout.part(table, stage_key, shard), error) from error


def read_table(
    layout: Layout, table: str, stage_key: str, shard: int, utterance_ids: Iterable[str] | None = None
) -> pa.Table:
    """One finished shard as Arrow, or only the rows of the named utterances."""
    path = layout.part(table, stage_key, shard)
    try:
        wanted = None if utterance_ids is None else pa.array(list(utterance_ids), pa.string())
        only = None if wanted is None else pc.field("utterance_id").isin(wanted)
        data = pq.read_table(path, filters=only, page_checksum_verification=True)
    except FileNotFoundError:
        if table == "rejects":
            return to_arrow("rejects", [])
        raise WorkspaceError(f"{path} is not there: `dialoguellm run` makes it again") from None
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from error
    if data.schema != SCHEMAS[table]:
        raise _damaged(path, "its columns are not those of this program")
    return data


def _damaged(path: Path, why: object) -> WorkspaceError:
    return WorkspaceError(f"{path} is damaged ({why}): delete it and `dialoguellm run` makes it again")


def _write_parquet(path: Path, table: str, rows: Iterator[Any], group: int) -> int:
    compression = "NONE" if table == "keyframes" else "zstd"
    count, batch = 0, []
    with pq.ParquetWriter(
        path,
        SCHEMAS[table],
        compression=compression,
        use_content_defined_chunking=True,
        write_page_checksum=True,
    ) as writer:
        for row in rows:
            batch.append(row)
            count += 1
            if len(batch) == group:
                writer.write_table(to_arrow(table, batch))
                batch = []
        if batch or count == 0:
            writer.write_table(to_arrow(table, batch))
    return count


def _write_rejects(layout: Layout, stage_key: str, shard: int, rejects: list[Rejected]) -> None:
    target = layout.part("rejects", stage_key, shard)
    if not rejects:
        with suppress(FileNotFoundError):
            target.unlink()
        return
    with replacing(target) as temporary:
        _write_parquet(temporary, "rejects", iter(rejects), 10_000)


def _without(rows: Iterable[Any], rejects: list[Rejected]) -> Iterator[Any]:
    for row in rows:
        if isinstance(row, Rejected):
            rejects.append(row)
        else:
            yield row


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
