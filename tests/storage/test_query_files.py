"""Sorted copies that are not what was written: no query reads one, and they are made again from the shards."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_rows import ROWS
from finished_run import ask, write

from model.errors import DialogueError
from storage import copies, shards
from storage.layout import Layout
from storage.queries import connect, mended
from storage.query_files import DamagedCopies, _read
from storage.warehouse import OFFLINE, publish

TEXT = "SELECT * FROM captions ORDER BY utterance_id"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "it's [a] workspace")
    publish(layout, [write(layout)])
    return layout


def copy_of(layout: Layout, table: str = "captions") -> Path:
    (path,) = layout.folder(table, f"key-{table}").glob("all-*.parquet")
    return path


def put(path: Path, data: bytes) -> None:
    """As damage that came later: two writes within a tick of the clock would have the same time."""
    path.write_bytes(data)
    shards.known_sha256.cache_clear()


def test_a_bit_anywhere_counts(layout: Layout) -> None:
    """Magic, page headers, pages, footer and its length: every ninth byte of a copy, and of some what a query says."""
    path, before = copy_of(layout), ask(layout, TEXT)
    whole = path.read_bytes()
    with connect(layout) as connection:
        ((digest,),) = connection.execute("SELECT sha256 FROM copies WHERE path = ?", [str(path)]).fetchall()
    for place in [*range(0, len(whole), 9), *range(len(whole) - 60, len(whole))]:
        put(path, whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert not copies.is_right(path, digest)
        if place % 450 == 0:
            with pytest.raises(DamagedCopies, match=r"all-.*is not what was written: `dialoguellm fsck --repair`"):
                ask(layout, TEXT)
    for data in (whole[:-1], whole + b"x", whole[: len(whole) // 2], whole[::-1]):
        put(path, data)
        with pytest.raises(DamagedCopies):
            ask(layout, TEXT)
    put(path, whole)
    assert ask(layout, TEXT) == before


def test_a_damaged_copy_is_made_again_with_a_line_that_says_so(layout: Layout) -> None:
    before, said, answers = ask(layout, TEXT), [], []
    path = copy_of(layout)
    whole = path.read_bytes()
    put(path, whole[:100] + bytes([whole[100] ^ 4]) + whole[101:])
    mended(layout, lambda: answers.append(ask(layout, TEXT)), said.append)
    assert answers == [before]
    assert said == [f"made again from their shards, since they were damaged or had no digest: {path}"]
    mended(layout, lambda: answers.append(ask(layout, TEXT)), said.append)
    assert len(said) == 1


@pytest.mark.parametrize("change", ["UPDATE copies SET sha256 = NULL", "ALTER TABLE copies DROP COLUMN sha256"])
def test_a_copy_of_an_earlier_program_has_no_digest(layout: Layout, change: str) -> None:
    import duckdb

    before, said, answers = ask(layout, TEXT), [], []
    with duckdb.connect(str(layout.database), config=dict(OFFLINE)) as connection:
        connection.execute(change)
        if "DROP" in change:  # as the database of a program before that migration
            about = "UPDATE about SET value = replace(value, ' 016_digests_of_copies.sql', '') WHERE name = 'migration'"
            connection.execute(about)
    mended(layout, lambda: answers.append(ask(layout, TEXT)), said.append)
    assert (answers, len(said)) == ([before], 1)
    assert ask(layout, "SELECT count(*) FROM copies WHERE sha256 IS NULL") == [(0,)]


@pytest.mark.parametrize("table", ["captions", "keyframes", "rejects", "predictions"])
def test_no_copy_is_made_of_a_damaged_part(layout: Layout, table: str) -> None:
    """DuckDB would read the wrong rows out of it; a query says which file it is."""
    publish(layout, [write(layout, captions=ROWS["rejects"])])
    stage = {"predictions": "evaluate", "rejects": "captions"}.get(table, table)
    part = layout.part(table, f"key-{stage}", 0)
    whole = bytearray(part.read_bytes())
    whole[len(whole) // 3] ^= 1
    put(part, bytes(whole))
    copy = next(layout.folder(table, f"key-{stage}").glob("all-*.parquet"))
    put(copy, copy.read_bytes()[:-1])
    with pytest.raises(DialogueError, match=r"all-.*\.parquet"):
        mended(layout, lambda: ask(layout, f"SELECT * FROM {table}_history"), lambda _line: None)
    assert not copies.is_whole(copy)


def test_a_query_that_needs_another_copy_is_not_held_up(layout: Layout) -> None:
    put(copy_of(layout), b"noise")
    assert ask(layout, "SELECT count(*) FROM utterances")[0][0] > 0
    with connect(layout) as connection:
        every = [Path(path) for (path,) in connection.execute("SELECT path FROM copies").fetchall()]
        for text in ("FROM lineage", 'FROM "LINEAGE"', "SELECT (SELECT count(*) FROM wrong_predictions)"):
            assert copy_of(layout) in _read(connection, text, every)
        for text in ("FROM query('from cap' || 'tions')", "FROM query_table('x')", f"FROM '{copy_of(layout)}'"):
            assert _read(connection, text, every) == every
        assert _read(connection, "SELECT 1", every) == []


def test_what_is_counted_is_not_counted_of_a_damaged_copy(layout: Layout) -> None:
    text = "FROM class_scores ORDER BY ALL"
    before = ask(layout, text)
    (path,) = layout.folder("predictions", "key-evaluate").glob("all-*.parquet")
    whole = path.read_bytes()
    put(path, whole[:40] + bytes([whole[40] ^ 8]) + whole[41:])
    publish(layout, [write(layout)])
    assert path.read_bytes() == whole
    assert ask(layout, text) == before
