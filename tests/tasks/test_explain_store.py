"""What `explain` found is kept, and shown only where it is whole and of that line."""

from __future__ import annotations

from pathlib import Path

import pytest
from scored_run import corpus_lines

from storage.layout import open_workspace
from tasks.explain import Explained, Moved
from tasks.explain_store import keep, kept

LINE = corpus_lines()[0]
FOUND = Explained(
    "demo-1",
    LINE,
    "joy",
    "neutral",
    (0.7, 0.2),
    (Moved("context 1", "Ana: So.", (0.5, 0.4), (0.2, -0.2), (0.8, -0.9), "joy"),),
    ("It is of train.",),
)


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "workspace", create=True)
    assert kept(layout, "demo-1", LINE.utterance_id) is None
    keep(layout, FOUND)
    assert kept(layout, "demo-1", LINE.utterance_id) == FOUND
    assert kept(layout, "demo-1", "demo/train/0/1") is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"run_id": 1}', '"<script>"', "\x00"])
def test_a_file_of_another_shape_is_nothing(tmp_path: Path, text: str) -> None:
    layout = open_workspace(tmp_path / "workspace", create=True)
    keep(layout, FOUND)
    layout.explanation("demo-1", LINE.utterance_id).write_text(text)
    assert kept(layout, "demo-1", LINE.utterance_id) is None


def test_a_file_under_another_lines_name_is_nothing(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "workspace", create=True)
    keep(layout, FOUND)
    layout.explanation("demo-1", LINE.utterance_id).rename(layout.explanation("demo-1", "demo/train/0/1"))
    assert kept(layout, "demo-1", "demo/train/0/1") is None
