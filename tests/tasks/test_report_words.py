"""The sentences that limit a result are there when they are due, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from report_rows import TEST_IDS, about, metrics, utterance

from model.dialogue import Rejected, TrainingStep
from tasks.page import percent
from tasks.report_scores import Scores
from tasks.report_words import lead, notes, readings

MANY = Scores(metrics(n=5000), "demo")
LINES = [utterance(name) for name in TEST_IDS]


def said(record: dict[str, Any], lines: list[Any] = LINES, steps: tuple[Any, ...] = (), scores: Scores = MANY) -> str:
    return " ".join(notes(record, lines, steps, [scores]))


def stage(**settings: Any) -> dict[str, Any]:
    return {"key": "k", "settings": settings}


OFF: dict[str, Any] = {"key": None, "settings": {}}


def test_a_run_without_limits_needs_no_note() -> None:
    assert said(about()) == ""
    assert said({}, lines=[], scores=Scores([], None)) == ""


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (about(captions=OFF), "Captions off: the model read the text alone."),
        (about(instructions=stage(description=False)), "did not get to read them"),
        (about(instructions=stage(preset="paper")), "did not get to read them"),
        (about(ingest=stage(dialogues={"test": 10, "train": 1000})), "at most 1,000 of train, 10 of test dialogues"),
        (about(finetune=OFF), "No model was tuned: finetune is off."),
        (about(evaluate=stage(share=0.25)), "25.0\u00a0%"),
    ],
)
def test_what_the_settings_leave_out_is_said(record: dict[str, Any], words: str) -> None:
    assert words in said(record)


def test_no_video_is_text_only_whatever_the_settings_say() -> None:
    lines = [utterance(name, video=None) for name in TEST_IDS]
    assert said(about(), lines) == "Text only: no video was given, captions off."


def test_a_training_on_part_of_the_lines_is_said() -> None:
    train = [utterance(f"demo/train/{n}/0") for n in range(10)]
    limited = about(finetune=stage(max_examples=4))
    assert "a declared subset: 4 of 10 train lines" in said(limited, train)
    assert said(about(finetune=stage(max_examples=10)), train) == ""
    short, whole = ((TrainingStep(7, epoch, 1.0, 1e-3, 1.0, 1, 0.1),) for epoch in (0.25, 1.0))
    assert "after 7 steps, 0.25 of one pass" in said(about(), train, short)
    assert said(about(), train, whole) == ""


def test_few_lines_and_lines_without_a_score_are_said() -> None:
    few = said(about(), scores=Scores(metrics(n=80), "demo"))
    assert few == "Few test lines: 80 in 20 dialogues. An accuracy of them is uncertain by about 11 points either way."
    fewer = said(about(), scores=Scores(metrics(n=8), "demo"))
    assert "Few test lines: 8 in 2 dialogues." in fewer
    assert "the interval itself is uncertain" in fewer
    assert "3 of 8 test lines have no score." in said(about(), scores=Scores(metrics(n=5), "demo"))


def test_the_lead_names_the_score_its_interval_and_the_floors() -> None:
    text = lead(Scores([*metrics("tuned"), *metrics("untuned"), *metrics("majority")], "demo")).replace("\u00a0", " ")
    assert text.startswith("The tuned model names the emotion of 50.0 % of 8 test lines")
    assert "(95 % interval 15.4 to 84.6)" in text
    assert text.endswith("For comparison: the model before tuning 50.0 %, always the commonest label 50.0 %.")
    assert lead(Scores(metrics("untuned"), "demo")).startswith("The untuned model")
    assert lead(Scores(metrics("majority"), "demo")) == ""


def test_percent() -> None:
    assert (percent(0.12345), percent(1.0), percent(None)) == ("12.3", "100.0", "–")


def test_leaks_that_were_left_out_or_kept_are_said() -> None:
    rejects = [Rejected(f"{corpus}/train/0/{n}", "ingest", "leak", "x") for corpus in ("b", "a") for n in range(2)]
    rejects += [Rejected("a/train/9/0", "ingest", "empty_text", "x"), Rejected("c/train/9/0", "captions", "leak", "x")]
    (note,) = notes(about(), LINES, (), [MANY], rejects)
    assert note == "Train and dev lines that stand in a test split were left out: 2 of a, 2 of b."
    parts = [{"corpus": "meld", "dialogues": {"train": 3}}, {"corpus": "emorynlp", "dialogues": {}}]
    kept = said(about(ingest=stage(parts=parts, leaks="keep")))
    assert "were kept: the scores may measure memory" in kept
    assert "A declared subset of meld: at most 3 of train dialogues." in kept


def test_of_several_corpora_each_is_named() -> None:
    scores = Scores([replace(row, corpus="meld") for row in metrics(n=4)], "meld")
    assert lead(scores, named=True).startswith("The tuned model names the emotion of 50.0\u00a0% of 4 meld test lines")
    lines = [*LINES, *(utterance(f"meld/test/0/{n}", video=None) for n in range(6))]
    found = notes(about(), lines, (), [MANY, scores])
    assert "No video of meld was given: the model reads their text alone." in found
    assert "2 of 6 meld test lines have no score." in found


def test_each_reading_of_the_test_split_is_told() -> None:
    reads = [{"run_id": name} for name in ("demo-2", "demo-1", "demo-2")]
    tuned = about(finetune=stage())
    assert readings(tuned) == ""
    once = readings({**tuned, "test_readings": reads[:1]})
    assert once == "The test split was read once by this adapter, up to when this page was made."
    several = readings({**tuned, "test_readings": reads})
    assert several.startswith("The test split was read 3 times by this adapter, in the runs demo-1, demo-2,")
    assert "by the untuned model in this run" in readings({**about(finetune=OFF), "test_readings": reads[:1]})
