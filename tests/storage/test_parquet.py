"""The lake's files: row groups, packing, columns, and what is damaged when reading."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from example_rows import FIRST, ROWS

from model.dialogue import Utterance
from model.errors import WorkspaceError
from storage import parquet, tables


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part-00004.parquet"


def lines(count: int) -> list[Utterance]:
    return [
        Utterance(f"demo/train/d/{n}", "demo", "train", "d", n, str(n), "Ana", f"line {n}", "joy") for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
def test_row_groups_neither_lose_nor_double_rows(path: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.ROWS_PER_GROUP, "utterances", 3)
    assert parquet.write(path, "utterances", lines(count)) == count
    assert parquet.read_rows(path, "utterances") == lines(count)
    assert pq.ParquetFile(path).num_row_groups == max(1, -(-count // 3))


@pytest.mark.parametrize("table", ROWS)
def test_columns_are_written_as_their_rows_are(path: Path, table: str) -> None:
    rows = ROWS[table]
    lists = {name: [getattr(row, name) for row in rows] for name in tables.SCHEMAS[table].names}
    found = []
    for given in (rows, [tables.Columns(lists)], [rows[0], *rows[1:]]):
        assert parquet.write(path, table, given) == len(rows)
        found.append(path.read_bytes())
    assert found[0] == found[1] == found[2]


def test_columns_and_rows_may_be_mixed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.ROWS_PER_GROUP, "utterances", 3)
    rows, names = lines(9), tables.SCHEMAS["utterances"].names
    many = [tables.Columns({name: [getattr(row, name) for row in some] for name in names}) for some in (rows[1:6], [])]
    assert parquet.write(path, "utterances", [rows[0], *many, *rows[6:]]) == 9
    assert parquet.read_rows(path, "utterances") == rows
    assert pq.ParquetFile(path).num_row_groups == 3


def test_arrow_tables_are_written_as_their_rows_are(path: Path) -> None:
    parquet.write(path, "captions", ROWS["captions"])
    whole = path.read_bytes()
    assert parquet.write_tables(path, "captions", [tables.to_arrow("captions", ROWS["captions"])]) == 2
    assert path.read_bytes() == whole


@pytest.mark.parametrize("table", ROWS)
def test_some_columns_are_read_as_the_rows_have_them(path: Path, table: str) -> None:
    parquet.write(path, table, ROWS[table])
    names = tables.SCHEMAS[table].names[::-2]
    found = parquet.read_columns(path, table, names)
    whole = parquet.read(path, table)
    assert found == [whole[name].to_pylist(maps_as_pydicts="strict") for name in names]


def columns_of(path: Path) -> dict[str, pq.ColumnChunkMetaData]:
    group = pq.ParquetFile(path).metadata.row_group(0)
    return {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}


def test_pictures_are_not_packed_again_and_text_is(path: Path) -> None:
    for table, packing in (("keyframes", "UNCOMPRESSED"), ("captions", "ZSTD")):
        parquet.write(path, table, ROWS[table])
        assert {column.compression for column in columns_of(path).values()} == {packing}


@pytest.mark.parametrize("table", tables.REPEATED)
def test_what_comes_again_is_a_dictionary_and_what_does_not_is_packed(path: Path, table: str) -> None:
    parquet.write(path, table, ROWS[table])
    for name, column in columns_of(path).items():
        repeated = name in tables.REPEATED[table]
        assert column.compression == ("UNCOMPRESSED" if repeated else "ZSTD"), name
        assert ("RLE_DICTIONARY" in column.encodings) == repeated, name
        assert column.is_stats_set == (repeated or name == "utterance_id"), name


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "empty":
        data.clear()
    elif how == "cut":
        del data[-9:]
    elif how == "noise":
        data[:] = b"noise" * 50
    elif how == "one bit":
        data[data.index(bytes(range(200))) + 150] ^= 1
    elif how == "footer":
        data[-200:-8] = bytes(192)
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["empty", "cut", "noise", "one bit", "footer"])
def test_a_damaged_file_is_named(path: Path, how: str) -> None:
    parquet.write(path, "keyframes", ROWS["keyframes"])
    damage(path, how)
    for read in (
        parquet.read,
        lambda *given: parquet.read(*given, [FIRST]),
        lambda *given: parquet.read_columns(*given, ["jpeg"]),
    ):
        with pytest.raises(WorkspaceError, match=r"part-00004\.parquet is damaged .*`dialoguellm fsck --repair` sets"):
            read(path, "keyframes")


def test_every_changed_byte_is_noticed_or_harmless(path: Path) -> None:
    """A damaged file may be refused or read as it was; never read as other rows."""
    parquet.write(path, "predictions", ROWS["predictions"])
    whole = path.read_bytes()
    names = tables.SCHEMAS["predictions"].names
    lists = parquet.read_columns(path, "predictions", names)
    refused = 0
    for place in range(4, len(whole) - 8, 11):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            assert parquet.read_rows(path, "predictions") == ROWS["predictions"], place
            assert parquet.read_columns(path, "predictions", names) == lists, place
        except WorkspaceError:
            refused += 1
    assert refused > 20


def test_rows_of_another_table_are_refused(path: Path) -> None:
    parquet.write(path, "metrics", ROWS["metrics"])
    with pytest.raises(WorkspaceError, match="its columns are not those of this program"):
        parquet.read(path, "captions")
    with pytest.raises(WorkspaceError, match="its columns are not those of this program"):
        parquet.read_columns(path, "captions", ["utterance_id"])


def test_a_missing_file_says_what_makes_it(path: Path) -> None:
    for read in (parquet.read, lambda *given: parquet.read_columns(*given, ["text"])):
        with pytest.raises(WorkspaceError, match=r"part-00004\.parquet is not there: `dialoguellm run` makes it again"):
            read(path, "captions")


def test_columns_that_a_table_got_later_are_null_in_older_files(path: Path) -> None:
    rows = ROWS["predictions"]
    parquet.write(path, "predictions", rows)
    pq.write_table(pq.read_table(path).drop_columns(["n_prompt_tokens", "n_tokens"]), path)
    assert parquet.read_rows(path, "predictions") == rows
    assert parquet.read(path, "predictions").schema == tables.SCHEMAS["predictions"]
    names, tokens = parquet.read_columns(path, "predictions", ["utterance_id", "n_tokens"])
    assert (names, tokens) == ([row.utterance_id for row in rows], [None] * len(rows))
    pq.write_table(pq.read_table(path).drop_columns(["seconds"]), path)  # always there, and never NULL
    with pytest.raises(WorkspaceError, match="its columns are not those of this program"):
        parquet.read_rows(path, "predictions")
