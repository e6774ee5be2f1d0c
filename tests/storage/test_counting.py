"""What is counted once a run: the same as from all rows, and again when they change."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_run import ask, write

from storage.counting import texts
from storage.layout import Layout
from storage.warehouse import publish


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "workspace")


def test_each_file_has_its_table(layout: Layout) -> None:
    publish(layout, [])
    tables = ask(layout, "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'counted%' ORDER BY 1")
    assert sorted(texts()) == [name for (name,) in tables]
    for text in texts().values():
        assert text.startswith("-- ")
        assert "Grain: one row per" in text


def test_counts_are_those_of_the_rows(layout: Layout) -> None:
    publish(layout, [write(layout), write(layout, "demo-2")])
    counted = "SELECT run_id, system, gold, predicted, utterances FROM counted_confusions ORDER BY ALL"
    rows = "SELECT run_id, system, gold, predicted, count(*) FROM predictions_history GROUP BY ALL ORDER BY ALL"
    assert ask(layout, counted) == ask(layout, rows)
    assert ask(layout, "SELECT count(*) FROM summarised") == [(2,)]


def test_nothing_is_counted_twice(layout: Layout) -> None:
    facts = write(layout)
    publish(layout, [facts])
    before = ask(layout, "SELECT * FROM counted_dialogues ORDER BY ALL")
    publish(layout, [facts])
    assert ask(layout, "SELECT * FROM counted_dialogues ORDER BY ALL") == before != []
