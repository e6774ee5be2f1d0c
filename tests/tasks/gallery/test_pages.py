"""The gallery's pages: what they show of a run, and that nothing of a text is obeyed by a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scored_run import recorded
from shown_run import LINES, described

from tasks.gallery.filter import Filter
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&\u202e"


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return Snapshot(described(tmp_path_factory.mktemp("gallery"), LINES))


def test_a_page_of_a_line_shows_its_frames_caption_and_answers(snapshot: Snapshot) -> None:
    page = Pages(snapshot, Served()).utterance("demo/test/1/1") or ""
    assert page.count('src="/picture?id=demo%2Ftest%2F1%2F1') == 2
    assert "Ana waves. So neutral we are, 1." in page
    assert "fear, not neutral" in page
    assert "explain demo-" in page


def test_the_lines_around_are_linked(snapshot: Snapshot) -> None:
    page = Pages(snapshot, Served()).utterance("demo/test/1/1") or ""
    assert 'rel="prev" href="/utterance?id=demo%2Ftest%2F1%2F0"' in page
    assert 'rel="next" href="/utterance?id=demo%2Ftest%2F1%2F2"' in page


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    lines = [replace(row, speaker=SCRIPT, text=SCRIPT) if row.split == "test" else row for row in LINES]
    pages = Pages(Snapshot(described(tmp_path, lines)), Served())
    texts = [pages.listing(Filter(words=SCRIPT)), pages.dialogue("demo/test/0"), pages.utterance("demo/test/0/0")]
    for text in texts:
        assert text is not None
        assert "alert(1)" in text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in text
        assert text.count("<script>") == 1


def test_a_run_without_captions_frames_and_answers_is_shown(tmp_path: Path) -> None:
    run = recorded(tmp_path, [], LINES)
    pages = Pages(Snapshot(run), Served())
    assert "demo/train/0" in pages.listing(Filter())
    assert "It has no prompt" in (pages.utterance("demo/dev/0/0") or "")
