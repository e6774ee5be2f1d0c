"""The rows of a CSV, TSV, JSONL or Parquet file as cells of text, by column name."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from model.errors import CorpusError
from tasks.corpora import strict_json
from tasks.corpora.transcript import Row, decode, lines, read_bytes

REQUIRED = ("split", "dialogue_id", "turn", "speaker", "text", "emotion")
OPTIONAL = ("sentiment", "video", "start_s", "end_s")
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
MAX_BYTES = 1 << 29
MAX_CELL_READ = 1 << 24
"""Characters: a longer cell of a CSV file, such as one whose quote is never closed, costs the file and not its row."""
LEAST_BYTES = 4
"""Of a row of a Parquet file, whose columns may repeat a row a million times at no cost. A row of MELD takes 19."""
BATCH_ROWS = 64
"""Small, as a Parquet file can repeat one huge cell at no cost."""

Raw = Mapping[str, Any] | None


def table_rows(path: Path, needed: Sequence[str], columns: Mapping[str, str]) -> Iterator[tuple[int, Row | None]]:
    """Each row's place in the file (from 1) and its cells under our names; None where it is no row of plain values.

    ``columns`` maps our names to the file's; other columns are left out. Absent and null cells are "".
    Raises CorpusError for a file that cannot be read or is too large, and for a ``needed`` column that it lacks.
    """
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise CorpusError(f"ingest.file: {path} must end in one of {', '.join(SUFFIXES)}")
    names = {ours: columns.get(ours, ours) for ours in (*REQUIRED, *OPTIONAL)}
    data = _bytes(path)
    if kind == ".parquet":
        rows = _parquet(path, data, names, needed)
    elif kind == ".jsonl":
        rows = _jsonl(path, data, names, needed)
    else:
        rows = _csv(path, data, names, needed, "\t" if kind == ".tsv" else ",")
    place = 0
    for place, row in enumerate(rows, 1):
        yield place, _cells(row, names)
    if not place:
        raise CorpusError(f"{path} has no rows; fill it, or name another ingest.file")


def _cells(row: Raw, names: Mapping[str, str]) -> Row | None:
    if row is None:
        return None
    values = {ours: row.get(name) for ours, name in names.items()}
    if any(isinstance(value, bool) or not isinstance(value, str | int | float | None) for value in values.values()):
        return None
    return {ours: _text(value) for ours, value in values.items()}


def _text(value: str | float | None) -> str:
    if isinstance(value, float) and value.is_integer():  # a column of ids with a gap becomes floats in Parquet
        return str(int(value))
    return "" if value is None else str(value)


def _csv(path: Path, data: bytes, names: Mapping[str, str], needed: Sequence[str], delimiter: str) -> Iterator[Raw]:
    table = csv.DictReader(lines(data), strict=True, delimiter=delimiter)
    limit = csv.field_size_limit(MAX_CELL_READ)
    try:
        found = [name.strip() for name in table.fieldnames or ()]
        _check_columns(path, found, names, needed)
        table.fieldnames = found
        rows = [None if None in row or None in row.values() else row for row in table]
    except csv.Error as error:
        raise CorpusError(f"{path}, line {table.reader.line_num}: {error}; repair the file") from error
    finally:
        csv.field_size_limit(limit)
    yield from rows


def _jsonl(path: Path, data: bytes, names: Mapping[str, str], needed: Sequence[str]) -> Iterator[Raw]:
    rows = [_object(line) for line in decode(data).split("\n") if line.strip()]
    if any(rows):
        _check_columns(path, [*{name: None for row in rows for name in row or ()}], names, needed)
    yield from rows


def _object(line: str) -> Raw:
    try:
        value = strict_json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _parquet(path: Path, data: bytes, names: Mapping[str, str], needed: Sequence[str]) -> Iterator[Raw]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        if (rows := file.metadata.num_rows) * LEAST_BYTES > len(data):
            raise CorpusError(f"{path} claims {rows:,} rows in {len(data):,} bytes: it repeats a few; write it again")
        found = list(file.schema_arrow.names)
        _check_columns(path, found, names, needed)
        wanted = [name for name in names.values() if name in found]
        for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        first = str(error).partition("\n")[0][:200]
        raise CorpusError(f"{path} is no readable Parquet file: {first}; write it again") from error


def _check_columns(path: Path, found: Sequence[str], names: Mapping[str, str], needed: Sequence[str]) -> None:
    lacking = {ours: names[ours] for ours in needed if names[ours] not in found}
    missing = [f"{name} (for {ours})" if name != ours else ours for ours, name in lacking.items()]
    if missing:
        listed = ", ".join(found)[:300] or "nothing"
        hint = 'name yours in ingest.columns, for example columns = {text = "Utterance"}'
        raise CorpusError(f"{path} has no column {', '.join(missing)}; found: {listed}; {hint}")

    if twice := [name for name in names.values() if found.count(name) > 1]:
        raise CorpusError(f"{path} has the column {', '.join(twice)} twice; rename one")


def _bytes(path: Path) -> bytes:
    try:
        data = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise CorpusError(f"ingest.file: {path} cannot be read ({error.strerror}); correct the path") from error
    if len(data) > MAX_BYTES:
        raise CorpusError(f"ingest.file: {path} is larger than {MAX_BYTES >> 20} MiB; split the corpus")
    return data
