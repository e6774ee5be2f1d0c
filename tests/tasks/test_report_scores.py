"""Metric rows as a reader sees them."""

from __future__ import annotations

import math
from dataclasses import replace

from report_rows import metrics

from model.dialogue import Metric
from tasks.report_scores import NO_ANSWER, Scores


def test_systems_come_in_their_order_with_their_interval() -> None:
    found = [row for system in ("majority", "zebra", "tfidf_lr", "untuned", "tuned") for row in metrics(system)]
    systems = Scores(found, "demo").systems()
    assert [item.system for item in systems] == ["tuned", "untuned", "tfidf_lr", "majority", "zebra"]
    tuned = systems[0]
    assert (tuned.n, tuned.accuracy, tuned.weighted_f1, tuned.unparsed) == (8, 0.5, 0.667, 0)
    known = {"accuracy": (0.5 - 0.98 / 8**0.5, 0.5 + 0.98 / 8**0.5), "weighted_f1": (0.5, 0.8), "ece": (0.15, 0.31)}
    assert tuned.bounds == known
    assert tuned.dialogues == 2


def test_the_subject_is_the_tuned_model_or_else_the_untuned_one() -> None:
    both = Scores([*metrics("untuned"), *metrics("tuned")], "demo").subject()
    one = Scores([*metrics("untuned"), *metrics("majority")], "demo").subject()
    assert both
    assert both.system == "tuned"
    assert one
    assert one.system == "untuned"
    assert Scores(metrics("majority"), "demo").subject() is None


def test_test_is_shown_before_dev_and_splits_are_not_mixed() -> None:
    scores = Scores([*metrics(split="dev", n=100), *metrics(split="test", n=8)], "demo")
    assert scores.split == "test"
    assert scores.systems()[0].n == 8
    assert Scores(metrics(split="dev"), "demo").split == "dev"


def test_the_scores_of_another_corpus_are_not_mixed_in() -> None:
    both = [*metrics(n=8), *(replace(row, corpus="meld") for row in metrics(n=100))]
    assert [Scores(both, corpus).systems()[0].n for corpus in ("demo", "meld")] == [8, 100]
    assert Scores(both, "emorynlp").systems() == []


def test_labels_without_gold_lines_have_no_scores_but_a_place_in_the_confusion() -> None:
    scores = Scores(metrics(), "demo")
    assert [(item.label, item.support) for item in scores.classes("tuned")] == [("joy", 8)]
    assert scores.confusion("tuned") == (["joy", "anger"], ["joy", "anger"], [[4, 4], [0, 0]])


def test_answers_that_name_no_label_are_the_last_column() -> None:
    rows = [*metrics(), Metric("demo", "test", "tuned", "confusion", "joy", None, 2.0)]
    assert Scores(rows, "demo").confusion("tuned") == (
        ["joy", "anger"],
        ["joy", "anger", NO_ANSWER],
        [[4, 4, 2], [0, 0, 0]],
    )


def test_no_number_is_no_score() -> None:
    scores = Scores([Metric("demo", "test", "tuned", "accuracy", None, None, math.nan)], "demo")
    assert scores.systems() == []
    only = Scores([Metric("demo", "test", "tuned", "accuracy", None, None, 0.5)], None).systems()[0]
    assert (only.n, only.bounds, only.weighted_f1) == (0, {}, None)


def test_a_correction_is_told_for_dev_and_for_test() -> None:
    def of(split: str, system: str, value: float) -> Metric:
        return Metric("demo", split, system, "weighted_f1", None, None, value)

    tau = Metric("demo", "dev", "tuned+prior", "tau", None, None, 0.35)
    both = [of(split, system, 0.5) for split in ("dev", "test") for system in ("tuned", "tuned+prior")]
    (found,) = Scores([*both, tau], "demo").corrections()
    assert (found.title, found.tau, list(found.splits)) == ("Tuned (LoRA)", 0.35, ["dev", "test"])
    fitted = [("bias_share", None, 0.5), ("bias", "joy", 0.0), ("bias", "neutral", 1.0)]
    biases = [Metric("demo", "dev", "tuned+biases", name, label, None, value) for name, label, value in fitted]
    (other,) = Scores([*both, *biases], "demo").corrections()
    assert (other.tau, other.share, [*other.biases.items()]) == (None, 0.5, [("neutral", 1), ("joy", 0)])
    assert found.splits["test"] == ({"weighted_f1": 0.5}, {"weighted_f1": 0.5})
    assert Scores(both, "demo").corrections() == []
    (alone,) = Scores([*both[:2], tau], "demo").corrections()
    assert list(alone.splits) == ["dev"]


def test_the_commonest_mistakes_come_first() -> None:
    rows = [*metrics(), Metric("demo", "test", "tuned", "confusion", "joy", None, 6.0)]
    found = Scores(rows, "demo").confused("tuned", 9)
    assert [(pair.gold, pair.predicted, pair.count, pair.total) for pair in found] == [
        ("joy", NO_ANSWER, 6, 14),
        ("joy", "anger", 4, 14),
    ]
    assert Scores(rows, "demo").confused("tuned", 1) == found[:1]
    assert Scores(rows, "demo").confused("untuned", 9) == []
