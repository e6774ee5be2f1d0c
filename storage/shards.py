"""Shards of the lake: a Parquet file of rows, one of rejects where there are any, and the manifest last.

A file without a manifest is not there. Nothing is written in place: a process killed at any instant leaves either
the whole shard or none of it (and perhaps a dot-named temporary file, which nothing reads).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from model.dialogue import Rejected
from model.errors import WorkspaceError
from storage import files, parquet, sealed
from storage.files import replacing, write_json
from storage.layout import Layout
from storage.tables import to_arrow

Manifest = dict[str, Any]
T = TypeVar("T")

WHOLE = 8_000_000
"""Bytes up to which a file is read whole for a few of its cells; a larger one's pages have checksums of their own."""

TRIES = 3
"""How often a shard is read that is another each time: one that is just being made again."""


def write_shard(
    layout: Layout, table: str, stage_key: str, shard: int, rows: Iterable[Any], facts: Manifest
) -> Manifest:
    """Writes what a stage yields for one shard and returns its manifest.

    ``rows`` mixes rows of ``table``, ``Columns`` of many of them and ``Rejected``. ``facts`` (a dict filled while
    ``rows`` runs, if need be) is merged into the manifest, which also holds row counts, bytes and SHA-256 of the
    files, and a digest of the rows (``content``) that leaves out what was measured of the machine.
    """
    rejects: list[Rejected] = []
    target = layout.part(table, stage_key, shard)
    with replacing(layout, target) as temporary:
        count = parquet.write(temporary, table, _without(rows, rejects))
        digest, content = file_sha256(temporary), parquet.content(temporary)
        # from here to the new manifest the shard is not there: an old manifest must not vouch for new rows
        files.unlink(layout, layout.manifest(table, stage_key, shard))
    refused = _write_rejects(layout, stage_key, shard, rejects)
    manifest: Manifest = {
        **facts,
        "stage_key": stage_key,
        "shard": shard,
        "rows": count,
        "rejects": len(rejects),
        "rejected_utterances": len({row.utterance_id for row in rejects}),
        "bytes": target.stat().st_size,
        "sha256": digest,
        "content": content,
        **refused,
    }
    write_json(layout, layout.manifest(table, stage_key, shard), manifest)
    files.unlink(layout, layout.failure(table, stage_key, shard))
    return manifest


def read_manifest(path: Path | str) -> Manifest | None:
    """A manifest as written, None where it is absent, damaged or not readable as one."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 (of thousands, a Path for each costs as much as the reading)
            found = sealed.loads(file.read())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def read_record(path: Path) -> Manifest:
    """A record that must be there. Raises WorkspaceError naming it where it is damaged."""
    found = read_manifest(path)
    if found is None:
        raise WorkspaceError(f"{path} is damaged: `dialoguellm fsck --repair` sets it aside")
    return found


def read_rows(layout: Layout, table: str, stage_key: str, shard: int) -> list[Any]:
    """The rows of one finished shard, which is the file that its manifest vouches for.

    Raises WorkspaceError naming the file where it is damaged, gone or not finished.
    """
    return _vouched(layout, table, stage_key, shard, [], lambda *file: parquet.read_rows(*file))


def read_columns(layout: Layout, table: str, stage_key: str, shard: int, names: Sequence[str]) -> list[list[Any]]:
    """Some columns of one finished shard, as lists of their cells; the others are not read. Errors as in read_rows."""
    none: list[list[Any]] = [[] for _ in names]
    return _vouched(
        *(layout, table, stage_key, shard, none),
        lambda path, table, digest: parquet.read_columns(path, table, names, _if_small(path, digest)),
    )


def read_table(
    layout: Layout, table: str, stage_key: str, shard: int, utterance_ids: Iterable[str] | None = None
) -> pa.Table:
    """One finished shard as Arrow, or only the rows of the named utterances. Errors as in read_rows."""
    wanted = None if utterance_ids is None else list(utterance_ids)
    return _vouched(
        *(layout, table, stage_key, shard, to_arrow("rejects", [])),
        lambda path, table, digest: parquet.read(
            path, table, wanted, digest if wanted is None else _if_small(path, digest)
        ),
    )


def check_part(layout: Layout, path: Path, columns: Sequence[str]) -> None:
    """Raises as read_rows where a part is not the file that its manifest vouches for, as far as ``columns`` go.

    For what reads Parquet without its checksums, as DuckDB does. Part and manifest have been fetched.
    """
    table, stage_key, shard = path.parts[-3], path.parts[-2], int(path.stem.removeprefix("part-"))

    def look(path: Path, table: str, digest: str | None) -> None:
        if small := _if_small(path, digest):
            parquet.check(path, small)
        else:
            parquet.read_columns(path, table, columns)

    _vouched(Layout(layout.root), table, stage_key, shard, None, look)


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=65536)
def known_sha256(path: Path, *_identity: int) -> str:
    """The digest of a file that is told from others by ``mirror.identity``: each is read once in a process."""
    return file_sha256(path)


def manifest_of(layout: Layout, table: str, stage_key: str, shard: int) -> Path:
    """The manifest that vouches for a part: of rejects that of the rows beside which they were written."""
    own = layout.manifest(table, stage_key, shard)
    if table != "rejects":
        return files.local(layout, own)
    return next(layout.lake.glob(f"*/{stage_key}/{own.name}"), own)


def _vouched(
    layout: Layout, table: str, stage_key: str, shard: int, none: T, read: Callable[[Path, str, str | None], T]
) -> T:
    """What ``read`` makes of a part and the digest that it must have; ``none`` where nothing was rejected."""
    path = files.local(layout, layout.part(table, stage_key, shard))
    before: Manifest | None = None
    for last in (False,) * (TRIES - 1) + (True,):
        place = manifest_of(layout, table, stage_key, shard)
        manifest = read_manifest(place)
        if table == "rejects" and not (manifest or {}).get("rejects", path.exists()):
            return none
        if manifest is None:
            state = "is damaged" if place.exists() else "is not there"
            raise WorkspaceError(f"{path} is not finished, {place.name} {state}: `dialoguellm run` makes it again")
        try:
            return read(path, table, manifest.get("rejects_sha256" if table == "rejects" else "sha256"))
        except WorkspaceError:
            if last or manifest == before:
                raise
            before = manifest
    raise AssertionError("the last try returns or raises")


def _if_small(path: Path, digest: str | None) -> str | None:
    return digest if path.exists() and path.stat().st_size <= WHOLE else None


def _write_rejects(layout: Layout, stage_key: str, shard: int, rejects: list[Rejected]) -> Manifest:
    """Writes what was rejected, if anything; what the manifest says of the file."""
    target = layout.part("rejects", stage_key, shard)
    if not rejects:
        files.unlink(layout, target)
        return {}
    with replacing(layout, target) as temporary:
        parquet.write(temporary, "rejects", rejects)
        return {"rejects_bytes": temporary.stat().st_size, "rejects_sha256": file_sha256(temporary)}


def _without(rows: Iterable[Any], rejects: list[Rejected]) -> Iterator[Any]:
    for row in rows:
        if isinstance(row, Rejected):
            rejects.append(row)
        else:
            yield row
