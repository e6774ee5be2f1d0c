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
    assert tuned.bounds == {"accuracy": (0.5 - 0.98 / 8**0.5, 0.5 + 0.98 / 8**0.5), "weighted_f1": (0.5, 0.8)}
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
