from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.errors import CorpusError
from tasks.corpora import table_rows as module
from tasks.corpora.table_rows import OPTIONAL, REQUIRED, SUFFIXES, table_rows
from tasks.ingest_settings import Column

VALUES: dict[str, Any] = {"split": "dev", "dialogue_id": 3, "turn": 1, "speaker": "Ana", "emotion": "joy", "Line": "Hi"}
COLUMNS = {"text": "Line"}
EXPECTED = {
    **{"split": "dev", "dialogue_id": "3", "turn": "1", "speaker": "Ana", "emotion": "joy", "text": "Hi"},
    **dict.fromkeys(OPTIONAL, ""),
}


def write(folder: Path, kind: str, values: dict[str, Any]) -> Path:
    path = folder / f"corpus{kind}"
    if kind == ".parquet":
        pq.write_table(pa.table({name: [value] for name, value in values.items()}), path)
    elif kind == ".jsonl":
        path.write_text(json.dumps(values) + "\n\n")
    else:
        mark = "\t" if kind == ".tsv" else ","
        path.write_text(mark.join(values) + "\n" + mark.join(map(str, values.values())) + "\n")
    return path


def test_the_settings_name_the_same_columns() -> None:
    assert get_args(Column) == (*REQUIRED, *OPTIONAL)


@pytest.mark.parametrize("kind", SUFFIXES)
def test_all_forms_give_the_same_cells(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, {**VALUES, "unused": "x"})
    assert list(table_rows(path, REQUIRED, COLUMNS)) == [(1, EXPECTED)]


@pytest.mark.parametrize("kind", SUFFIXES)
def test_a_missing_column_names_what_was_found(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, VALUES)
    with pytest.raises(CorpusError, match=r"no column text; found: split, .*ingest\.columns"):
        list(table_rows(path, REQUIRED, {}))
    with pytest.raises(CorpusError, match=r"no column Words \(for text\)"):
        list(table_rows(path, REQUIRED, {"text": "Words"}))


@pytest.mark.parametrize("kind", SUFFIXES)
def test_files_that_are_no_table_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"corpus{kind}"
    with pytest.raises(CorpusError, match=r"ingest\.file: .* cannot be read"):
        list(table_rows(path, REQUIRED, {}))
    path.write_bytes(b"")
    with pytest.raises(CorpusError, match=r"no rows|no column|no readable"):
        list(table_rows(path, REQUIRED, {}))


def test_other_endings_headers_alone_and_repeated_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"must end in one of \.csv"):
        list(table_rows(tmp_path / "corpus.xlsx", REQUIRED, {}))
    path = tmp_path / "corpus.csv"
    path.write_text(",".join(REQUIRED) + "\n")
    with pytest.raises(CorpusError, match="no rows"):
        list(table_rows(path, REQUIRED, {}))
    path.write_text(",".join((*REQUIRED, "text")) + "\n")
    with pytest.raises(CorpusError, match="column text twice"):
        list(table_rows(path, REQUIRED, {}))
    path.write_text(",".join((*REQUIRED, "start_s", "start_s")) + "\n")
    with pytest.raises(CorpusError, match="column start_s twice"):
        list(table_rows(path, REQUIRED, {}))
    arrays = [pa.array(["x"])] * (len(REQUIRED) + 1)
    pq.write_table(pa.Table.from_arrays(arrays, names=[*REQUIRED, "text"]), tmp_path / "corpus.parquet")
    with pytest.raises(CorpusError, match="column text twice"):
        list(table_rows(tmp_path / "corpus.parquet", REQUIRED, {}))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 20)
    with pytest.raises(CorpusError, match="larger than"):
        list(table_rows(write(tmp_path, ".csv", VALUES), REQUIRED, COLUMNS))


def test_lines_that_are_no_object_of_plain_values(tmp_path: Path) -> None:
    bad = ["[1]", "{", "[" * 100_000, "7", json.dumps({**VALUES, "Line": ["Hi"]}), json.dumps({**VALUES, "turn": True})]
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join([*bad, '{"turn": ' + "9" * 5000 + "}", json.dumps({**VALUES, "turn": 1.0})]))
    assert [row for _, row in table_rows(path, REQUIRED, COLUMNS)] == [None] * 7 + [EXPECTED]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), kind=st.sampled_from(SUFFIXES))
def test_any_bytes_are_rows_or_one_error(tmp_path: Path, data: bytes, kind: str) -> None:
    path = tmp_path / f"corpus{kind}"
    start = (",".join(REQUIRED) + "\n").encode() if kind == ".csv" else b""
    path.write_bytes(start + data)
    with suppress(CorpusError):
        for place, (number, row) in enumerate(table_rows(path, REQUIRED, {}), 1):
            assert number == place
            assert row is None or {*row} == {*REQUIRED, *OPTIONAL}
