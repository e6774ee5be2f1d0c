"""What the systems of a run said, floors among them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from scored_run import corpus_lines, recorded, right_but, says, scored

from model.errors import CorpusError, SettingsError, WorkspaceError
from storage.shards import read_rows
from tasks.stages import BY_NAME
from tasks.systems import Systems
from tasks.tally import scores, tally

TEST = [row for row in corpus_lines() if row.split == "test"]


def test_a_runs_systems_are_its_models_and_the_floors(tmp_path: Path) -> None:
    run = recorded(tmp_path, [*right_but(TEST, [0], "untuned"), *right_but(TEST, [], "tuned")])
    systems = Systems(run, "test")
    assert systems.names() == ["tuned", "untuned", "majority", "tfidf_lr"]
    said = systems.said()
    assert said.name == f"{run.run_id}:tuned"
    assert said.answers == said.gold == {row.utterance_id: row.emotion for row in TEST}
    assert systems.said("untuned").answers[TEST[0].utterance_id] == "fear"
    assert {*systems.said("majority").answers.values()} == {"neutral"}
    with pytest.raises(SettingsError, match=r"has no system svm: it has tuned, untuned, majority, tfidf_lr"):
        systems.said("svm")


def test_they_are_what_was_scored(tmp_path: Path) -> None:
    run = scored(recorded(tmp_path, right_but(TEST, [1, 2])))
    metrics = read_rows(run.layout, "metrics", run.key(BY_NAME["score"]), 0)
    stored = {row.system: row.value for row in metrics if row.metric == "accuracy"}
    systems = Systems(run, "test")
    for name in systems.names():
        said = systems.said(name)
        assert stored[name] == scores(tally("demo", said.gold, said.answers).sum(0))["accuracy"]


def test_a_correction_fitted_on_dev_is_a_system_of_both_splits(tmp_path: Path) -> None:
    hesitant = [says(row, "neutral" if row.emotion == "joy" else row.emotion, share=0.3) for row in TEST]
    dev = [
        replace(says(row, "neutral" if row.emotion == "joy" else row.emotion, share=0.3), gold=row.emotion)
        for row in corpus_lines()
        if row.split == "dev"
    ]
    run = scored(recorded(tmp_path, hesitant, dev=dev))
    on_test, on_dev = (Systems(run, split) for split in ("test", "dev"))
    for systems in (on_test, on_dev):
        assert systems.names() == ["tuned", "tuned+biases", "tuned+prior", "majority", "tfidf_lr"]
    metrics = read_rows(run.layout, "metrics", run.key(BY_NAME["score"]), 0)
    stored = {(row.split, row.system): row.value for row in metrics if row.metric == "weighted_f1"}
    assert len(stored) == 10
    for split, systems in (("test", on_test), ("dev", on_dev)):
        said = systems.said("tuned+prior")
        assert stored[split, "tuned+prior"] == scores(tally("demo", said.gold, said.answers).sum(0))["weighted_f1"]
    (tau,) = (row for row in metrics if row.metric == "tau")
    assert (tau.split, tau.system, tau.value) == ("dev", "tuned+prior", 0.0)


def test_without_predictions_there_is_nothing_to_say(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="predicted no line of the test split"):
        Systems(recorded(tmp_path, []), "test")
    with pytest.raises(WorkspaceError, match=r"did not score the dev split: run it with --set calibrate\.enabled=true"):
        Systems(recorded(tmp_path, right_but(TEST, [])), "dev")
    run = recorded(tmp_path, right_but(TEST, []))
    run.layout.part("predictions", run.key(BY_NAME["evaluate"]), 2).unlink()
    with pytest.raises(WorkspaceError, match="has not done evaluate yet: `dialoguellm rerun"):
        Systems(run, "test")


def test_a_prediction_of_a_line_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    run = recorded(tmp_path, [says(TEST[0], "joy"), says(TEST[-1], "joy")], corpus_lines(11))
    with pytest.raises(CorpusError, match=r"predicted demo/test/11/3, which its corpus lacks"):
        Systems(run, "test").said()
