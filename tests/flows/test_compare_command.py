"""The command that sets two systems side by side."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from scored_run import corpus_lines, recorded, right_but
from typer.testing import CliRunner

from flows.cli import app
from model.errors import DialogueError, SettingsError, UnknownRun, WorkspaceError
from storage.queries import connect, query
from tasks.plan import Run
from tasks.publish import rebuild
from tasks.stages import BY_NAME

TEST = [row for row in corpus_lines() if row.split == "test"]

TEXT = {"keyframes": {"enabled": False}}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Run]:
    """Two runs that differ in their seed; both systems of the first."""
    monkeypatch.chdir(tmp_path)
    said = [*right_but(TEST, range(6)), *right_but(TEST, range(20), "untuned")]
    first = recorded(tmp_path, said, name="first", tables=TEXT)
    more = {**TEXT, "finetune": {"seed": 1}}
    second = recorded(tmp_path, right_but(TEST, range(4, 24)), name="second", tables=more)
    return first, second


def ask(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["compare", *arguments, "--resamples", "1000"])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.stdout


def stored(run: Run) -> list[tuple[object, ...]]:
    with connect(run.layout) as connection:
        return query(connection, "FROM comparisons ORDER BY ALL")[1]


def test_two_runs_side_by_side(runs: tuple[Run, Run]) -> None:
    rows = json.loads(ask("first", "second", "--json"))
    assert [row["metric"] for row in rows] == ["accuracy", "weighted_f1", "macro_f1"]
    assert rows[0]["first"] == f"{runs[0].run_id}:tuned"
    assert rows[0]["second"] == f"{runs[1].run_id}:tuned"
    assert rows[0]["difference"] == pytest.approx(14 / 48)
    assert 0 < rows[0]["p"] < rows[0]["mcnemar_p"] + 0.2 < 1
    assert rows[0]["low"] < rows[0]["difference"] < rows[0]["high"]
    table = ask("first", "second")
    assert f"first: {runs[0].run_id}:tuned, on test" in table
    assert "+29.2 [" in table
    assert "that 80 % of such samples would show" in table
    assert "first_right" in table


def test_one_run_against_its_other_systems(runs: tuple[Run, Run]) -> None:  # noqa: ARG001
    rows = json.loads(ask("first", "--json"))
    assert [row["second"].partition(":")[2] for row in rows[::3]] == ["untuned", "majority", "tfidf_lr"]
    (row, *_) = json.loads(ask("first:majority", "first:untuned", "--json"))
    assert row["second"].endswith(":untuned")
    with pytest.raises(SettingsError, match="is both sides: name another system"):
        ask("first", "first:tuned")
    with pytest.raises(SettingsError, match="has no system svm"):
        ask("first", "second:svm")
    with pytest.raises(UnknownRun):
        ask("first", "third")
    with pytest.raises(SettingsError, match="--split train"):
        ask("first", "--split", "train")


def test_what_flipped_by_label(runs: tuple[Run, Run]) -> None:  # noqa: ARG001
    rows = json.loads(ask("first", "second", "--flips", "--json"))
    assert sum(row["first_right"] for row in rows) == 18
    assert sum(row["second_right"] for row in rows) == 4
    assert ask("first", "second", "--flips", "--csv").startswith("first,second,corpus,label,both_right")


def test_a_comparison_is_stored_once_and_survives_a_rebuild(runs: tuple[Run, Run]) -> None:
    ask("first", "second")
    before = stored(runs[0])
    assert len(before) == 3
    ask("first", "second")
    assert stored(runs[0]) == before
    rebuild(runs[0].layout)
    assert stored(runs[0]) == before


def test_other_lines_are_refused_unless_the_common_ones_are_asked_for(runs: tuple[Run, Run], tmp_path: Path) -> None:
    recorded(tmp_path, right_but(TEST[:40], []), name="third", tables={"finetune": {"seed": 2}})
    with pytest.raises(SettingsError, match=f"{runs[0].run_id}:tuned alone has 8 lines of demo: --intersect"):
        ask("first", "third")
    assert "left out: 8 lines" in ask("first", "third", "--intersect")


def test_a_page_is_written_where_it_is_asked_for(runs: tuple[Run, Run]) -> None:
    folder = runs[0].layout.comparisons
    printed = ask("first:untuned", "second", "--page").splitlines()[-1]
    assert Path(printed).parent == folder
    assert Path(printed).with_suffix(".json").exists()
    assert f"{runs[1].run_id}" in Path(printed).read_text()
    assert len(json.loads(ask("first", "--json", "--page"))) == 9  # standard output is the program's
    assert len(list(folder.glob("*.html"))) == 4
    rebuild(runs[0].layout)
    assert len(stored(runs[0])) == 12


def test_bad_input_is_one_sentence_and_writes_nothing(runs: tuple[Run, Run], tmp_path: Path) -> None:
    first, layout = runs[0], runs[0].layout
    own = [replace(row, corpus="meld", utterance_id=row.utterance_id.replace("demo", "meld")) for row in corpus_lines()]
    said = right_but([row for row in own if row.split == "test"], [])
    recorded(tmp_path, said, own, {"ingest": {"corpus": "demo", "shard_utterances": 64}}, name="other")
    refused = {
        ("first", "first"): f"{first.run_id}:tuned is both sides: name another system",
        ("first", first.run_id): "is both sides",
        ("first", "third"): "third",
        ("first", "other"): "are of different corpora or label sets: demo (neutral, joy",
        (
            "first",
            "second",
            "--split",
            "dev",
        ): f"{first.run_id} did not score the dev split: run it with --set calibrate",
    }
    for arguments, sentence in refused.items():
        with pytest.raises(DialogueError) as told:
            ask(*arguments, "--page")
        assert sentence in str(told.value)
        assert "\n" not in str(told.value)
    layout.manifest("predictions", runs[1].key(BY_NAME["evaluate"]), 2).unlink()
    with pytest.raises(WorkspaceError, match=f"{runs[1].run_id} has not done evaluate yet: `dialoguellm rerun"):
        ask("first", "second", "--page")
    assert not layout.comparisons.exists()
