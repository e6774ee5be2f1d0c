"""Captions by what they give away, neutral, and what the paper printed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_rows import TEST_IDS, metrics, prediction

from model.dialogue import Caption, Metric
from tasks.report_effects import caption_kinds, neutral_bias, printed
from tasks.report_scores import Scores


def caption(name: str, *words: str) -> Caption:
    return Caption(name, "A line.", "demo", "r", "p", 2, 9, words, 0.1)


def test_accuracy_by_kind_of_caption_and_system() -> None:
    answers = [prediction(name, said="joy" if n < 3 else "anger") for n, name in enumerate(TEST_IDS)]
    others = [prediction(name, said="anger", system="untuned") for name in TEST_IDS]
    captions = [caption(TEST_IDS[0], "joy"), *map(caption, TEST_IDS[1:5]), caption("demo/train/9/0", "fear")]
    first, second, third = caption_kinds({"captions": captions}, [*answers, *others])
    assert (first.name, first.utterances, first.accuracy) == ("names an emotion", 1, {"tuned": 1.0, "untuned": 0.0})
    assert (second.name, second.utterances, second.dialogues) == ("names none", 4, 2)
    assert second.accuracy == {"tuned": 0.5, "untuned": 0.0}
    assert second.bounds["tuned"][0] < 0.5 < second.bounds["tuned"][1]
    assert "untuned" not in second.bounds  # no resample differs
    assert (third.name, third.utterances) == ("no caption", 3)


def test_without_captions_there_are_no_kinds() -> None:
    answers = [prediction(name) for name in TEST_IDS]
    assert caption_kinds({}, answers) == []
    assert caption_kinds({"captions": [caption("demo/train/9/0", "joy")]}, answers) == []
    assert caption_kinds({"captions": [caption(TEST_IDS[0])]}, []) == []


def confusion(gold: str, said: str | None, count: int) -> Metric:
    return Metric("demo", "test", "tuned", "confusion", gold, said, count)


def test_neutral_is_counted_as_the_view_does() -> None:
    cells = [confusion("neutral", "neutral", 6), confusion("neutral", "joy", 2), confusion("neutral", None, 2)]
    cells += [confusion("joy", "neutral", 5), confusion("joy", "joy", 4), confusion("joy", None, 1)]
    (found,) = neutral_bias(Scores(cells, "demo"))
    assert (found.gold, found.predicted, found.recall) == (0.5, 0.55, 0.6)
    assert (found.missed, found.of_mistakes) == (0.5, 0.5)
    assert neutral_bias(Scores([confusion("joy", "joy", 4)], "demo")) == []
    (never,) = neutral_bias(Scores([confusion("neutral", "joy", 4)], "demo"))
    assert (never.predicted, never.recall, never.missed, never.of_mistakes) == (0, 0, None, 0)
    (alone,) = neutral_bias(Scores([confusion("neutral", "neutral", 4)], "demo"))
    assert alone.of_mistakes is None


@pytest.mark.parametrize(("corpus", "split", "count"), [("meld", "test", 2), ("meld", "dev", 0), ("demo", "test", 0)])
def test_the_paper_is_quoted_for_its_own_test_splits(corpus: str, split: str, count: int) -> None:
    rows = [replace(row, corpus=corpus) for row in metrics(split=split)]
    found = printed(Scores(rows, corpus))
    assert len(found) == count
    if found:
        assert (found[0].accuracy, found[0].weighted_f1) == (pytest.approx(0.7196), pytest.approx(0.719))
    assert printed(Scores([], corpus)) == []
