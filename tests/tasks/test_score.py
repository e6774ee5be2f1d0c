from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from model.dialogue import Metric, Prediction, Utterance
from model.emotions import labels
from model.errors import CorpusError
from tasks import score
from tasks.stage import Context

NAMES = labels("meld")


def line(split: str, number: int, emotion: str, text: str = "What happened?") -> Utterance:
    return Utterance(f"meld/{split}/0/{number}", "meld", split, "0", number, str(number), "Ross", text, emotion)


def prediction(row: Utterance, predicted: str | None, system: str = "tuned") -> Prediction:
    return Prediction(row.utterance_id, system, row.emotion, predicted, {}, predicted or "?", 0.0)


def run(utterances: list[Utterance], predictions: list[Prediction]) -> list[Metric]:
    context = Context(cache=Path(), folder=Path())
    rows = {"utterances": utterances, "predictions": predictions}
    return list(score.run(rows, score.ScoreSettings(resamples=1000), context))


def scored(gold: dict[str, str], answers: Mapping[str, str | None]) -> list[Metric]:
    return list(score.metrics("meld", "test", "tuned", gold, answers, score.ScoreSettings(resamples=1000)))


def value(
    found: list[Metric], system: str, metric: str, label: str | None = None, predicted: str | None = None
) -> float:
    (one,) = [
        row.value
        for row in found
        if (row.system, row.metric, row.label, row.predicted) == (system, metric, label, predicted)
    ]
    return one


def test_every_share_has_its_interval_and_counts_have_none() -> None:
    gold = ["neutral"] * 6 + ["joy"] * 4 + ["fear"] * 2
    said = ["neutral", "neutral", "joy", None, "anger", "neutral", "joy", "joy", "neutral", None, "fear", "joy"]
    ids = [f"meld/test/{i % 4}/{i}" for i in range(12)]
    found = scored(dict(zip(ids, gold, strict=True)), dict(zip(ids, said, strict=True)))
    assert value(found, "tuned", "support") == 12
    assert value(found, "tuned", "dialogues") == 4
    assert value(found, "tuned", "unparsed") == 2
    assert value(found, "tuned", "accuracy") == 0.5
    assert value(found, "tuned", "recall", "joy") == 0.5
    assert value(found, "tuned", "precision", "joy") == 0.5
    assert value(found, "tuned", "support", "disgust") == 0
    assert value(found, "tuned", "f1", "disgust") == 0
    for row in found:
        if row.metric in ("support", "dialogues", "unparsed", "confusion") or row.label == "disgust":
            assert row.low is row.high is None
        elif row.label in (None, "joy", "neutral"):
            assert row.low is not None
            assert row.high is not None
            assert 0 <= row.low <= row.value <= row.high <= 1
            assert row.low < row.high
    again = scored(dict(zip(ids, gold, strict=True)), dict(zip(ids, said, strict=True)))
    assert again == found


def test_the_confusion_holds_every_utterance_once() -> None:
    found = scored({"a/0": "joy", "a/1": "joy", "b/0": "fear"}, {"a/0": "fear", "a/1": None, "b/0": "fear"})
    cells = [row for row in found if row.metric == "confusion"]
    assert sum(row.value for row in cells) == 3
    assert value(found, "tuned", "confusion", "joy", "fear") == 1
    assert value(found, "tuned", "confusion", "joy", None) == 1
    assert not [row for row in cells if row.label == "fear" and row.predicted is None]


def test_systems_and_floors_stand_on_the_same_predicted_lines() -> None:
    train = [line("train", i, "neutral" if i % 3 else "joy") for i in range(12)]
    test = [line("test", i, "joy") for i in range(4)]
    found = run(
        [*train, *test],
        [
            *(prediction(row, "joy") for row in test[:3]),
            *(prediction(row, "anger", "untuned") for row in test[:3]),
        ],
    )
    assert {row.system for row in found} == {"tuned", "untuned", "majority", "tfidf_lr"}
    assert {row.split for row in found} == {"test"}
    for system in ("tuned", "untuned", "majority", "tfidf_lr"):
        assert value(found, system, "support") == 3
    assert value(found, "tuned", "accuracy") == 1
    assert value(found, "untuned", "accuracy") == 0
    assert value(found, "majority", "recall", "joy") == 0


def test_each_split_is_scored_apart() -> None:
    dev, test = line("dev", 0, "joy"), line("test", 0, "joy")
    found = run([dev, test], [prediction(dev, "joy"), prediction(test, "fear")])
    assert {(row.split, row.value) for row in found if row.metric == "accuracy"} == {("dev", 1.0), ("test", 0.0)}


def test_without_predictions_there_is_nothing_to_score() -> None:
    assert run([line("train", 0, "joy")], []) == []


def test_each_corpus_is_scored_apart_and_its_floors_know_it_alone() -> None:
    def other(split: str, number: int, emotion: str) -> Utterance:
        row = line(split, number, emotion)
        return replace(row, utterance_id=row.utterance_id.replace("meld", "emorynlp"), corpus="emorynlp")

    train = [*(line("train", n, "joy") for n in range(9)), *(other("train", n, "mad") for n in range(3))]
    one, two = line("test", 0, "joy"), other("test", 0, "mad")
    found = run([*train, one, two], [prediction(one, "joy"), prediction(two, "sad")])
    assert {row.corpus for row in found} == {"meld", "emorynlp"}
    for corpus, tuned in (("meld", 1.0), ("emorynlp", 0.0)):
        own = [row for row in found if row.corpus == corpus]
        assert value(own, "tuned", "accuracy") == tuned
        assert value(own, "majority", "accuracy") == value(own, "tfidf_lr", "accuracy") == 1
        assert {row.label for row in own if row.label} == {*labels(corpus)}
        assert sum(row.value for row in own if (row.system, row.metric) == ("tuned", "confusion")) == 1


def test_a_system_that_lacks_lines_is_scored_on_its_own_and_says_so() -> None:
    lines = [line("test", i, "joy") for i in range(4)]
    found = run(
        lines, [*(prediction(row, "joy") for row in lines), *(prediction(row, "joy", "untuned") for row in lines[:3])]
    )
    assert [value(found, system, "support") for system in ("tuned", "untuned")] == [4, 3]


def test_predictions_that_do_not_fit_the_corpus_are_one_error() -> None:
    row = line("test", 0, "joy")
    with pytest.raises(CorpusError, match="was predicted twice by tuned"):
        run([row], [prediction(row, "joy"), prediction(row, "fear")])
    with pytest.raises(CorpusError, match="1 predictions are of utterances that the corpus meld lacks"):
        run([row], [prediction(line("test", 1, "joy"), "joy")])
    with pytest.raises(CorpusError, match="'joyful' is not a label of meld"):
        run([row], [prediction(row, "joyful")])
