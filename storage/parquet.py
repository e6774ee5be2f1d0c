"""The Parquet files of the lake: how rows are written, what reading them checks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from model.errors import WorkspaceError
from storage.tables import MEASURED, REPEATED, ROWS_PER_GROUP, SCHEMAS, UNIQUE, Columns, cells, from_arrow, to_arrow

REPAIR = "`dialoguellm fsck --repair` sets it aside and the next run makes it again"


def write(path: Path, table: str, rows: Iterable[Any]) -> int:
    """Writes rows of ``table``, or ``Columns`` of many of them, and returns how many there were."""
    return write_tables(path, table, _tables(table, rows))


def write_tables(path: Path, table: str, tables: Iterable[pa.Table]) -> int:
    """``write`` of rows that are Arrow already."""
    count = 0
    with pq.ParquetWriter(
        path,
        SCHEMAS[table],
        **_encoding(table),
        use_content_defined_chunking=True,
        write_page_checksum=True,
    ) as writer:
        for group in _groups(tables, SCHEMAS[table].empty_table(), ROWS_PER_GROUP.get(table, 10_000)):
            writer.write_table(group)
            count += group.num_rows
    return count


def content(path: Path) -> str:
    """A digest of the rows of a file, without the columns that were measured of the machine (tables.MEASURED).

    Equal for the same rows written by the same version of pyarrow.
    """
    found = hashlib.sha256()
    metadata = pq.read_metadata(path)
    with path.open("rb") as file:
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                name = column.path_in_schema
                if name.partition(".")[0] not in MEASURED:
                    start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
                    file.seek(start)
                    found.update(f"{name} {column.num_values}\n".encode())
                    found.update(file.read(column.total_compressed_size))
    return found.hexdigest()[:16]


def read(path: Path, table: str, utterance_ids: Iterable[str] | None = None, sha256: str | None = None) -> pa.Table:
    """All rows, or only those of the named utterances.

    Raises WorkspaceError naming the file where it is damaged: by its own checksums of pages, and as a whole where the
    ``sha256`` is given that it must have.
    """
    with _reading(path):
        wanted = None if utterance_ids is None else pa.array(list(utterance_ids), pa.string())
        only = None if wanted is None else pc.field("utterance_id").isin(wanted)
        data = pq.read_table(_source(path, sha256), filters=only, page_checksum_verification=True)
    for field in _check(path, table, data.schema):
        data = data.append_column(field, pa.nulls(data.num_rows, field.type))
    return data


def read_rows(path: Path, table: str, sha256: str | None = None) -> list[Any]:
    """All rows as dataclasses. Errors as in ``read``."""
    data = read(path, table, None, sha256)
    with _reading(path):
        return from_arrow(table, data)


def read_columns(path: Path, table: str, names: Sequence[str], sha256: str | None = None) -> list[list[Any]]:
    """Some columns as lists of their cells; the others are not read. Errors as in ``read``."""
    with _reading(path), pq.ParquetFile(_source(path, sha256), page_checksum_verification=True) as file:
        later = {field.name for field in _check(path, table, file.schema_arrow)}
        held = [name for name in names if name not in later]
        data = file.read(columns=held, use_threads=False)  # a shard is small: threads cost more than they save
        rows = file.metadata.num_rows
        return [[None] * rows if name in later else cells(data.column(name)) for name in names]


def check(path: Path, sha256: str) -> None:
    """Raises WorkspaceError where a file is not the one of that digest."""
    with _reading(path):
        _source(path, sha256)


def _source(path: Path, sha256: str | None) -> Path | pa.BufferReader:
    """What to read: the file, or what was in it when its digest was found right."""
    if sha256 is None:
        return path
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise _damaged(path, "it is not the file that was written")
    return pa.BufferReader(data)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise WorkspaceError(f"{path} is not there: `dialoguellm run` makes it again") from None
    except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
        raise _damaged(path, error) from error


def _encoding(table: str) -> dict[str, Any]:
    if table not in REPEATED:
        return {"compression": "NONE" if table == "keyframes" else "zstd"}
    return {
        "compression": dict.fromkeys(UNIQUE[table], "zstd"),
        "use_dictionary": REPEATED[table],
        "write_statistics": ["utterance_id", *REPEATED[table]],  # the least and the greatest of long texts say nothing
    }


def _check(path: Path, table: str, schema: pa.Schema) -> list[pa.Field]:
    """The columns that the table has got since the file was written: at its end, NULL in what was there before."""
    wanted = list(SCHEMAS[table])
    before, later = wanted[: len(schema)], wanted[len(schema) :]
    if schema != pa.schema(before) or not all(field.nullable for field in later):
        raise _damaged(path, "its columns are not those of this program")
    return later


def _damaged(path: Path, why: object) -> WorkspaceError:
    return WorkspaceError(f"{path} is damaged ({why}): {REPAIR}")


def _groups(tables: Iterable[pa.Table], none: pa.Table, size: int) -> Iterator[pa.Table]:
    """The row groups of a file: ``size`` rows each but for the last; ``none`` where there are no rows."""
    waiting, first = none, True
    for data in tables:
        waiting = pa.concat_tables([waiting, data]) if waiting.num_rows else data
        while waiting.num_rows >= size:
            yield waiting.slice(0, size)
            waiting, first = waiting.slice(size), False
    if waiting.num_rows or first:
        yield waiting


def _tables(table: str, rows: Iterable[Any]) -> Iterator[pa.Table]:
    size = ROWS_PER_GROUP.get(table, 10_000)
    for many, some in groupby(rows, lambda row: isinstance(row, Columns)):
        if many:
            yield from (to_arrow(table, columns) for columns in some)
        else:
            while batch := list(islice(some, size)):
                yield to_arrow(table, batch)
