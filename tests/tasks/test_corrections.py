"""Both corrections side by side, or one, or none; what was fitted is told as metrics of dev."""

from __future__ import annotations

from scored_run import corpus_lines, says

from model.emotions import labels
from tasks.corrections import base_of, corrected

LINES = corpus_lines()
DEV = [says(row, "neutral" if row.emotion == "joy" else row.emotion, share=0.3) for row in LINES if row.split == "dev"]


def test_each_can_be_left_out() -> None:
    both, fitted = corrected(DEV, DEV, LINES, "weighted_f1", "macro_f1")
    assert {row.system for row in both} == {"tuned+prior", "tuned+biases"}
    assert {(row.system, row.metric) for row in fitted} == {
        ("tuned+prior", "tau"),
        ("tuned+biases", "bias_share"),
        ("tuned+biases", "bias"),
    }
    assert [row.label for row in fitted if row.metric == "bias"] == [*labels("demo")]
    assert {row.split for row in fitted} == {"dev"}
    assert {row.system for row in corrected(DEV, DEV, LINES, "off", "macro_f1")[0]} == {"tuned+biases"}
    assert {row.system for row in corrected(DEV, DEV, LINES, "macro_f1", "off")[0]} == {"tuned+prior"}
    assert corrected(DEV, DEV, LINES, "off", "off") == ([], [])


def test_a_corrected_system_is_traced_to_the_one_before() -> None:
    assert [base_of(name) for name in ("tuned+prior", "untuned+biases", "tuned", "org/model")] == [
        "tuned",
        "untuned",
        "tuned",
        "org/model",
    ]
