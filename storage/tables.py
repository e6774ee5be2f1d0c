"""One Arrow schema a table, and the way between rows (dataclasses) and Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from model.dialogue import (
    Caption,
    Instruction,
    Keyframe,
    Metric,
    Prediction,
    Rejected,
    ReportFile,
    TrainingStep,
    Utterance,
)
from model.expressions import NAMES

_TEXT = pa.string()
_WORDS = pa.list_(pa.string())
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_FACE_BOX = pa.struct([(name, pa.float64()) for name in ("x", "y", "width", "height", "score")])
_PERSON = pa.struct([("rank", pa.int32()), *_FACE_BOX])
_OBJECT = pa.struct([("rank", pa.int32()), ("name", pa.string()), *_FACE_BOX])
_EXPRESSION = pa.struct([("rank", pa.int32()), ("face", pa.int32()), *((name, pa.float64()) for name in NAMES)])
_SPECIAL = {
    ("Utterance", "turn"): pa.int32(),
    ("Utterance", "raters"): _WORDS,
    ("Keyframe", "jpeg"): pa.binary(),
    ("Keyframe", "faces"): pa.int32(),
    ("Keyframe", "face_boxes"): pa.list_(_FACE_BOX),
    ("Caption", "emotion_words"): _WORDS,
    ("Caption", "people"): pa.list_(_PERSON),
    ("Caption", "expressions"): pa.list_(_EXPRESSION),
    ("Caption", "objects"): pa.list_(_OBJECT),
    ("Instruction", "messages"): pa.list_(_MESSAGE),
    ("Instruction", "context_ids"): _WORDS,
    ("Instruction", "cuts"): _WORDS,
    ("Prediction", "scores"): pa.map_(pa.string(), pa.float64()),
}
_PLAIN = {"str": _TEXT, "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}

ROWS: dict[str, type] = {
    "utterances": Utterance,
    "keyframes": Keyframe,
    "captions": Caption,
    "instructions": Instruction,
    "training_log": TrainingStep,
    "dev_predictions": Prediction,
    "predictions": Prediction,
    "metrics": Metric,
    "reports": ReportFile,
    "rejects": Rejected,
}


def _schema(row: type) -> pa.Schema:
    columns = []
    for field in fields(row):
        kind = str(field.type)
        optional = kind.endswith(" | None")
        arrow = _SPECIAL.get((row.__name__, field.name)) or _PLAIN[kind.removesuffix(" | None")]
        columns.append(pa.field(field.name, arrow, nullable=optional))
    return pa.schema(columns)


SCHEMAS: dict[str, pa.Schema] = {table: _schema(row) for table, row in ROWS.items()}

MEASURED = frozenset({"seconds", "memory_mib"})
"""Columns that say how it went on a machine, not what came of it."""

ROWS_PER_GROUP = {"keyframes": 1_000}
"""Row groups hold about 10,000 rows; pictures are large, so theirs are smaller."""

UNIQUE = {
    "utterances": ["utterance_id", "source_utterance_id", "text", "video", "start_s", "end_s"],
    "instructions": [
        *("utterance_id", "messages.list.element.content", "prompt", "n_prompt_tokens", "context_ids.list.element"),
    ],
}
REPEATED = {
    "utterances": ["corpus", "split", "dialogue_id", "turn", "speaker", "emotion", "sentiment", "raters.list.element"],
    "instructions": ["variant", "answer", "caption_key", "messages.list.element.role", "cuts.list.element"],
}
"""Columns (as Parquet names them) whose values hardly come twice, and those whose values come again, for tables of many
small rows; in the others Parquet finds out for itself. The first are compressed and get no dictionary; the second are a
dictionary, so small that to compress it would cost more than it saves."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Many rows of one table at once, a list a column: cheaper than objects where a row is little work."""

    lists: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(next(iter(self.lists.values()), ()))

    def rows(self, row: type) -> list[Any]:
        """The same as dataclasses."""
        return [row(*values) for values in zip(*(self.lists[field.name] for field in fields(row)), strict=True)]


def each_row(row: type, results: Iterable[Any]) -> Iterator[Any]:
    """What a stage yields, with the rows of its Columns one by one."""
    for item in results:
        yield from item.rows(row) if isinstance(item, Columns) else [item]


def to_arrow(table: str, rows: Sequence[Any] | Columns) -> pa.Table:
    """Rows of one table as Arrow. Raises pyarrow.ArrowInvalid where a value does not fit its column."""
    schema = SCHEMAS[table]
    if isinstance(rows, Columns):
        lists = rows.lists
    else:
        lists = {name: [getattr(row, name) for row in rows] for name in schema.names}
    return pa.table([_array(field.type, lists[field.name]) for field in schema], schema=schema)


def from_arrow(table: str, data: pa.Table) -> list[Any]:
    """The rows of an Arrow table as dataclasses, in their order."""
    row = ROWS[table]
    names = [field.name for field in fields(row)]
    columns: Iterable[list[Any]] = (cells(data.column(name)) for name in names)
    return [row(*map(_from_cell, values)) for values in zip(*columns, strict=True)]


def cells(column: pa.ChunkedArray) -> list[Any]:
    """A column's cells as Python values. Raises UnicodeDecodeError or KeyError where it is damaged."""
    nested = pa.types.is_map(column.type)  # asking for dicts where there are none costs ten times as much
    return list(column.to_pylist(maps_as_pydicts="strict") if nested else column.to_pylist())


def _array(kind: pa.DataType, values: Sequence[Any]) -> pa.Array:
    if pa.types.is_map(kind):
        values = [tuple(value.items()) for value in values]
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:  # a file name that is not UTF-8 may be quoted in a row's text
        return pa.array([_utf8(value) for value in values], kind)


def _utf8(value: Any) -> Any:
    """A cell with "?" for what is no Unicode."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_utf8, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _from_cell(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict):
        return tuple(tuple(item.values()) for item in value)
    return tuple(value)
