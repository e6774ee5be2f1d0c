"""A figure where there is something to draw, and the numbers behind it."""

from __future__ import annotations

import math

from report_rows import metrics, prediction, rows

from model.dialogue import Metric, TrainingStep
from tasks.report_figures import figures, training
from tasks.report_scores import Scores


def test_nothing_to_draw_is_none() -> None:
    found = figures(Scores([], None))
    assert (found.classes, found.confusion, found.confidence, training([])) == (None, None, None, None)


def test_the_subject_stands_beside_the_baseline() -> None:
    found = figures(Scores([*metrics("tuned"), *metrics("tfidf_lr")], "demo"))
    assert found.classes
    assert found.classes.baseline == {"joy": 0.667}
    assert "Tuned (LoRA) and TF-IDF + logistic regression" in found.classes.svg
    assert found.confusion
    assert "4 of 8 lines on its diagonal" in found.confusion.svg


def test_confidence_is_drawn_where_there_are_probabilities() -> None:
    predictions = [row for row in rows()["predictions"] if row.system == "tuned"]
    metric = Metric("demo", "test", "tuned", "ece", None, None, 0.2)
    drawn = figures(Scores([*metrics(), metric], "demo"), predictions).confidence
    assert drawn
    assert [(item.count, item.accuracy) for item in drawn.bins] == [(8, 0.5)]
    assert drawn.scores["ece"] == 0.2
    assert figures(Scores(metrics(), "demo"), [prediction("demo/test/0/0", said=None)]).confidence is None


def test_without_a_baseline_the_subject_stands_alone() -> None:
    found = figures(Scores(metrics("untuned"), "demo"))
    assert found.classes
    assert found.classes.baseline == {}
    assert "TF-IDF" not in found.classes.svg


def test_the_training_is_summed_up() -> None:
    drawn = training(rows()["training_log"])
    assert drawn
    assert drawn.best
    assert (drawn.last.step, drawn.best.step, drawn.tokens) == (20, 19, 1000)


def test_a_dev_loss_that_is_no_number_is_never_the_best() -> None:
    log = [TrainingStep(n, 1.0, 1.0, 1e-3, 1.0, 1, 0.1, loss) for n, loss in enumerate([math.nan, 2.0, math.inf], 1)]
    drawn = training(log)
    assert drawn
    assert drawn.best
    assert drawn.best.step == 2
