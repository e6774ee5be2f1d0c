"""One score beside the last that is comparable with it."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from storage import ledger
from tasks.drive import Selection
from tasks.headline import Headline, headlines
from tasks.plan import Run

TEST_LINES = 6


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def scored(root: Path, f1: float, name: str = "fake", prompt: str = "plain", reject: str = "") -> Run:
    rejected = {"reject": [reject]} if reject else {}
    run = make(root, name, captions={"prompt": prompt}, score={"f1": f1}, ingest={**rejected, "max_rejects": 1})
    go(run)
    return run


def test_the_first_score_stands_alone(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.8)
    assert headlines(run) == [Headline("demo", "test", "tuned", TEST_LINES, 0.8)], "and floors are left out"


def test_a_run_of_the_same_name_is_compared_with_the_one_before(tmp_path: Path) -> None:
    first = scored(tmp_path, 0.8)
    scored(tmp_path, 0.1, "other", "prompt of another")
    (line,) = headlines(scored(tmp_path, 0.5, prompt="new"))
    assert (line.previous, line.previous_f1) == (f"{first.run_id}/1", 0.8)
    assert line.change == pytest.approx(-0.3)


def test_the_same_settings_scored_again_are_compared(tmp_path: Path) -> None:
    scored(tmp_path, 0.8)
    again = make(tmp_path, score={"f1": 0.7})
    go(again, Selection(("score",), force=True))
    (line,) = headlines(again)
    assert (line.previous, line.previous_f1) == (f"{again.run_id}/1", 0.8)
    under_another_name = scored(tmp_path, 0.7, "other")
    assert headlines(under_another_name) == [], "it scored nothing: what it would do is done"


def test_other_lines_are_not_comparable(tmp_path: Path) -> None:
    scored(tmp_path, 0.8)
    (line,) = headlines(scored(tmp_path, 0.2, reject="fake/test/0/0"))
    assert (line.utterances, line.change) == (TEST_LINES - 1, None)


def test_an_attempt_that_scores_nothing_keeps_nothing(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.8)
    go(run)
    assert headlines(run) == []
    kept = [attempt.get("scores") for attempt in ledger.attempts(run.layout, run.run_id)]
    assert [bool(scores) for scores in kept] == [True, False]
