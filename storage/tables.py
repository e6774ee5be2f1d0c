"""One Arrow schema a table, and the way between rows (dataclasses) and Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
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

_TEXT = pa.string()
_WORDS = pa.list_(pa.string())
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
_FACE_BOX = pa.struct([(name, pa.float64()) for name in ("x", "y", "width", "height", "score")])
_SPECIAL = {
    ("Utterance", "turn"): pa.int32(),
    ("Utterance", "raters"): _WORDS,
    ("Keyframe", "jpeg"): pa.binary(),
    ("Keyframe", "faces"): pa.int32(),
    ("Keyframe", "face_boxes"): pa.list_(_FACE_BOX),
    ("Caption", "emotion_words"): _WORDS,
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

ROWS_PER_GROUP = {"keyframes": 1_000}
"""Row groups hold about 10,000 rows; pictures are large, so theirs are smaller."""


def to_arrow(table: str, rows: Sequence[Any]) -> pa.Table:
    """Rows of one table as Arrow. Raises pyarrow.ArrowInvalid where a value does not fit its column."""
    columns = {field.name: [_to_cell(getattr(row, field.name), field.type) for row in rows] for field in SCHEMAS[table]}
    return pa.table(columns, schema=SCHEMAS[table])


def from_arrow(table: str, data: pa.Table) -> list[Any]:
    """The rows of an Arrow table as dataclasses, in their order."""
    row = ROWS[table]
    names = [field.name for field in fields(row)]
    columns: Iterable[list[Any]] = (data.column(name).to_pylist(maps_as_pydicts="strict") for name in names)
    return [row(*map(_from_cell, values)) for values in zip(*columns, strict=True)]


def _to_cell(value: Any, kind: Any) -> Any:
    if isinstance(value, str):  # a file name that is not UTF-8 may be quoted in a row's text
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        names = [field.name for field in kind.value_type]
        return [dict(zip(names, item, strict=True)) for item in value]
    if isinstance(value, dict):
        return list(value.items())
    return list(value) if isinstance(value, tuple) else value


def _from_cell(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], dict):
        return tuple(tuple(item.values()) for item in value)
    return tuple(value)
