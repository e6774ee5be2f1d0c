"""Rows to Arrow and back are the same rows."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from example_rows import ROWS as EXAMPLES
from hypothesis import given
from hypothesis import strategies as st

from model.dialogue import Prediction
from storage.tables import REPEATED, ROWS, SCHEMAS, UNIQUE, Columns, from_arrow, to_arrow


def test_there_is_an_example_of_every_table() -> None:
    assert EXAMPLES.keys() == ROWS.keys()


@pytest.mark.parametrize("table", ROWS)
def test_rows_come_back_as_they_were(table: str) -> None:
    rows = EXAMPLES[table]
    back = from_arrow(table, to_arrow(table, rows))
    assert back == rows
    for row, again in zip(rows, back, strict=True):
        for field in fields(row):
            assert type(getattr(row, field.name)) is type(getattr(again, field.name)), field.name


@pytest.mark.parametrize("table", ROWS)
def test_no_rows_have_the_same_columns(table: str) -> None:
    assert to_arrow(table, []).schema == to_arrow(table, EXAMPLES[table]).schema == SCHEMAS[table]
    assert from_arrow(table, to_arrow(table, [])) == []


@pytest.mark.parametrize("table", ROWS)
def test_only_optional_fields_may_be_null(table: str) -> None:
    optional = {field.name for field in fields(ROWS[table]) if "None" in str(field.type)}
    assert {column.name for column in SCHEMAS[table] if column.nullable} == optional


@given(
    st.text(),
    st.dictionaries(st.text(), st.floats(allow_nan=False)),
    st.none() | st.text(),
    st.floats(allow_nan=False, width=64),
)
def test_any_text_and_number_survive(text: str, scores: dict[str, float], predicted: str | None, number: float) -> None:
    rows = [Prediction(text, "tuned", "joy", predicted, scores, text, number)]
    assert from_arrow("predictions", to_arrow("predictions", rows)) == rows


def test_the_order_of_scores_is_kept() -> None:
    scores = {"sadness": 0.1, "anger": 0.2, "joy": 0.7}
    row = replace(EXAMPLES["predictions"][0], scores=scores)
    (back,) = from_arrow("predictions", to_arrow("predictions", [row]))
    assert list(back.scores) == list(scores)


@pytest.mark.parametrize(
    ("table", "column", "value", "stored"),
    [
        ("utterances", "text", "file \udcff name", "file ? name"),
        ("utterances", "raters", ("E2:\udcff", "E3:joy"), ("E2:?", "E3:joy")),
        ("instructions", "messages", (("user", "a \udcff"), ("x", "b")), (("user", "a ?"), ("x", "b"))),
        ("predictions", "scores", {"\udcff": 0.25, "joy": 0.75}, {"?": 0.25, "joy": 0.75}),
    ],
)
def test_text_that_is_no_unicode_does_not_stop_a_stage(table: str, column: str, value: object, stored: object) -> None:
    rows = [replace(EXAMPLES[table][0], **{column: value}), *EXAMPLES[table]]
    first, *others = from_arrow(table, to_arrow(table, rows))
    assert getattr(first, column) == stored
    assert others == EXAMPLES[table]


@pytest.mark.parametrize("table", ROWS)
def test_columns_are_the_same_table_as_their_rows(table: str) -> None:
    rows = EXAMPLES[table]
    columns = Columns({name: [getattr(row, name) for row in rows] for name in SCHEMAS[table].names})
    assert len(columns) == len(rows)
    assert columns.rows(ROWS[table]) == rows
    assert to_arrow(table, columns).equals(to_arrow(table, rows))
    none = Columns({name: [] for name in SCHEMAS[table].names})
    assert (len(none), none.rows(ROWS[table])) == (0, [])
    assert to_arrow(table, none).equals(to_arrow(table, []))


@pytest.mark.parametrize("table", REPEATED)
def test_every_column_is_said_to_repeat_or_not(table: str, tmp_path: Path) -> None:
    pq.write_table(to_arrow(table, EXAMPLES[table]), tmp_path / "all.parquet")
    group = pq.ParquetFile(tmp_path / "all.parquet").metadata.row_group(0)
    paths = {group.column(place).path_in_schema for place in range(group.num_columns)}
    assert sorted([*REPEATED[table], *UNIQUE[table]]) == sorted(paths)


@pytest.mark.parametrize("change", [{"turn": 2**40}, {"turn": "first"}, {"text": 7}])
def test_a_value_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(pa.ArrowException):
        to_arrow("utterances", [replace(EXAMPLES["utterances"][0], **change)])
