"""What can be wrong with predictions: each a clear error that says what to do, or the right number."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scored_run import corpus_lines, line, recorded, right_but, says, scored

from model.errors import DialogueError, RunFailed, WorkspaceError
from storage.shards import read_rows
from tasks.plan import Run
from tasks.stages import BY_NAME
from tasks.systems import Systems

ALL = corpus_lines()
TEST = [row for row in ALL if row.split == "test"]


def metrics(run: Run) -> dict[tuple[str, str, str | None], float]:
    rows = read_rows(run.layout, "metrics", run.key(BY_NAME["score"]), 0)
    return {(row.system, row.metric, row.label): row.value for row in rows if row.metric != "confusion"}


def failure(tmp_path: Path, predictions: list[Any]) -> str:
    with pytest.raises(RunFailed) as caught:
        scored(recorded(tmp_path, predictions))
    return str(caught.value)


@pytest.mark.parametrize("share", [math.nan, math.inf, -1.0])
def test_scores_that_are_no_probabilities_stop_the_scoring(tmp_path: Path, share: float) -> None:
    bad = says(TEST[0], "joy")
    said = failure(tmp_path, [replace(bad, scores={**bad.scores, "joy": share}), *right_but(TEST, [])[1:]])
    assert "demo/test/0/0: the scores of tuned are no probabilities of the labels of demo" in said
    assert "run evaluate again with --downstream --force" in said


def test_a_label_of_another_set_stops_the_scoring(tmp_path: Path) -> None:
    other = replace(says(TEST[0], "joy"), predicted="joyful")
    assert "demo/test/0/0: 'joyful' is not a label of demo" in failure(tmp_path, [other])


def test_predictions_of_another_corpus_stop_the_scoring(tmp_path: Path) -> None:
    other = says(line("test", 0, 0, "mad", "emorynlp"), "mad")
    said = failure(tmp_path, [other, *right_but(TEST, [])])
    assert "1 predictions are of utterances that the corpus emorynlp lacks, the first emorynlp/test/0/0" in said


def test_an_adapter_of_another_corpus_is_never_taken(tmp_path: Path) -> None:
    """The adapter's folder is named by a key that holds the corpus: a run of another corpus looks elsewhere."""
    one, other = (
        recorded(tmp_path, [], tables={"ingest": {"corpus": "demo", "dialogues": {"train": count}}}) for count in (2, 3)
    )
    assert one.layout.model(one.keys["finetune"] or "") != other.layout.model(other.keys["finetune"] or "")


def test_lines_without_a_prediction_are_not_counted_and_the_number_says_so(tmp_path: Path) -> None:
    found = metrics(scored(recorded(tmp_path, right_but(TEST, [0])[:10])))
    assert found["tuned", "support", None] == found["majority", "support", None] == 10
    assert found["tuned", "accuracy", None] == 0.9
    assert found["tuned", "dialogues", None] == 3


def test_an_empty_test_split_has_no_scores_and_no_comparison(tmp_path: Path) -> None:
    run = scored(recorded(tmp_path, [], [row for row in ALL if row.split != "test"]))
    assert metrics(run) == {}
    with pytest.raises(WorkspaceError, match="predicted no line of the test split; see what evaluate rejected"):
        Systems(run, "test")


def test_a_label_that_no_line_has_counts_for_nothing(tmp_path: Path) -> None:
    """Half of the joy lines are called disgust, which no gold line is: it takes no part in macro F1."""
    joy = [place for place, row in enumerate(TEST) if row.emotion == "joy"]
    found = metrics(scored(recorded(tmp_path, right_but(TEST, joy[::2], label="disgust"))))
    assert found["tuned", "support", "disgust"] == found["tuned", "f1", "disgust"] == 0
    assert found["tuned", "f1", "joy"] == pytest.approx(2 / 3)
    assert found["tuned", "macro_f1", None] == pytest.approx((1 + 1 + 2 / 3) / 3)
    assert found["tuned", "weighted_f1", None] == pytest.approx((36 + 12 * 2 / 3) / 48)


def test_one_dialogue_has_scores_and_no_interval(tmp_path: Path) -> None:
    run = scored(recorded(tmp_path, right_but(TEST, [0])[:4]))
    rows = read_rows(run.layout, "metrics", run.key(BY_NAME["score"]), 0)
    assert [row.value for row in rows if (row.system, row.metric) == ("tuned", "accuracy")] == [0.75]
    assert {row.low for row in rows} == {row.high for row in rows} == {None}


def test_answers_of_no_system_parse(tmp_path: Path) -> None:
    found = metrics(scored(recorded(tmp_path, [says(row, None) for row in TEST])))
    assert (found["tuned", "unparsed", None], found["tuned", "accuracy", None]) == (48, 0)
    assert ("tuned", "ece", None) not in found


def test_every_error_is_one_that_a_person_can_meet(tmp_path: Path) -> None:
    with pytest.raises(DialogueError):
        scored(recorded(tmp_path, [says(TEST[0], "joy"), says(TEST[0], "fear")]))
