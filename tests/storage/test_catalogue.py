"""Views are made in the order that they need, and anew only where something changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from finished_run import ask, write

from storage.catalogue import in_order, pattern, sql_files
from storage.copies import LAKE_TABLES
from storage.layout import Layout
from storage.warehouse import publish


def test_a_view_comes_after_those_it_reads() -> None:
    texts = {
        "a": "CREATE VIEW a AS FROM b -- FROM d",
        "b": "CREATE VIEW b AS FROM t JOIN c",
        "c": "FROM t",
        "d": "FROM a",
    }
    assert list(in_order(texts)) == ["c", "b", "a", "d"]
    names = list(in_order({name.removesuffix(".sql"): text for name, text in sql_files("views").items()}))
    assert names.index("lineage") < names.index("wrong_predictions")
    assert names.index("predictions_history") < names.index("lineage")


def test_every_stage_has_its_rows_and_their_history() -> None:
    texts = sql_files("views")
    for table in LAKE_TABLES:
        assert {f"{table}.sql", f"{table}_history.sql"} < texts.keys()
        assert "$files" in texts[f"{table}_history.sql"]


def test_migrations_have_numbers_of_their_own() -> None:
    numbers = [re.fullmatch(r"(\d{3})_\w+\.sql", name) for name in sql_files("migrations")]
    assert all(numbers)
    assert len({found[1] for found in numbers if found}) == len(numbers)


def test_a_pattern_matches_one_path_alone() -> None:
    assert pattern(Path("/a[b]*c")) == Path("/a[[]b][*]c")


def test_current_rows_are_those_of_the_run_used_last(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "workspace")
    old, new = write(layout), write(layout, "demo-2")
    for row in (*new.rows["stages"], *new.rows["shards"]):
        if row["stage"] == "captions":
            row["stage_key"] = "key-newer"
    folder = layout.folder("captions", "key-captions")
    shutil.copytree(folder, folder.with_name("key-newer"))
    old.rows["runs"][0]["used_at"] = "2026-01-01T00:00:00+00:00"
    new.rows["runs"][0]["used_at"] = "2026-01-02T00:00:00+00:00"
    publish(layout, [old, new])
    assert ask(layout, "SELECT DISTINCT stage_key FROM captions") == [("key-newer",)]
    history = ask(layout, "SELECT DISTINCT stage_key FROM captions_history ORDER BY 1")
    assert history == [("key-captions",), ("key-newer",)]
    assert ask(layout, "SELECT run_id, runs FROM current_runs") == [("demo-2", 2)]
    assert ask(layout, "SELECT stage_key, current, runs FROM keys WHERE stage = 'captions' ORDER BY 1") == [
        ("key-captions", False, ["demo-1"]),
        ("key-newer", True, ["demo-2"]),
    ]
    assert ask(layout, "SELECT DISTINCT run_id, captions_key FROM lineage ORDER BY 1") == [
        ("demo-1", "key-captions"),
        ("demo-2", "key-newer"),
    ]


@pytest.mark.parametrize("table", ["captions", "keyframes"])
def test_only_changed_views_are_made_again(tmp_path: Path, table: str) -> None:
    layout = Layout(tmp_path / "workspace")
    publish(layout, [])
    empty = ask(layout, f"SELECT value FROM about WHERE name = 'view {table}_history'")
    publish(layout, [write(layout)])
    assert ask(layout, f"SELECT value FROM about WHERE name = 'view {table}_history'") != empty
    assert len(ask(layout, f"FROM {table}")) > 0
