"""What moved an answer is found by leaving it out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from described_run import UNCAPTIONED, described

from model.errors import SettingsError, WorkspaceError
from storage import ledger
from storage.queries import connect, query
from storage.shards import read_rows, write_shard
from tasks.explain import Explained, explain
from tasks.instructions import STAGE
from tasks.plan import Run

LINE = "demo/dev/3/4"


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Run:  # noqa: ARG001
    return described(tmp_path_factory.mktemp("described"), tiny_model)


def parts(found: Explained) -> list[str]:
    return [one.part for one in found.parts]


def test_the_description_moved_a_model_that_lives_on_it(run: Run) -> None:
    found = explain(run, LINE)
    assert parts(found) == ["context 2", "context 1", "speakers", "description"]
    assert found.predicted == found.gold
    assert found.notes == ()
    dialogue = [explain(run, f"demo/dev/3/{turn}") for turn in range(2, 5)]
    moved = {name: sum(abs(one.parts[at].moved[0]) for one in dialogue) for at, name in enumerate(parts(found))}
    assert moved["description"] > 2 * max(moved["context 1"], moved["context 2"])


def test_the_numbers_are_those_of_the_prompts_with_and_without(run: Run) -> None:
    for one in (found := explain(run, LINE)).parts:
        for role in (0, 1):
            assert one.moved[role] == pytest.approx(found.whole[role] - one.without[role])
            before, after = found.whole[role], one.without[role]
            odds = math.log(before / (1 - before)) - math.log(after / (1 - after))
            assert one.log_odds[role] == pytest.approx(odds, abs=1e-4)
    assert explain(run, LINE) == found


def test_a_line_without_a_caption_is_explained_without_one(run: Run) -> None:
    found = explain(run, UNCAPTIONED)
    assert "description" not in parts(found)
    assert "no description of the video" in found.notes[0]
    assert parts(explain(run, "demo/dev/0/1"))[0] == "context 1"


def test_a_line_of_test_is_a_reading_of_test(run: Run) -> None:
    assert ledger.readings(run.layout, run.run_id) == []
    assert "on record as a reading" in explain(run, "demo/test/1/2").notes[0]
    (read,) = ledger.readings(run.layout, run.run_id)
    assert (read["stage"], read["shards"]) == ("explain", 1)
    with connect(run.layout) as connection:
        assert query(connection, "SELECT stage FROM test_reads")[1] == [("explain",)]
    assert "tuned on this very line" in explain(run, "demo/train/1/2").notes[0]


def test_what_cannot_be_explained_is_said(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="has no utterance 'demo/dev/3/44': did you mean demo/dev/3/4"):
        explain(run, "demo/dev/3/44")
    with pytest.raises(SettingsError, match="its ids look like demo/train/0/0"):
        explain(run, "\x1b[31m")
    key = run.key(STAGE)
    rows = read_rows(run.layout, "instructions", key, 1)
    write_shard(run.layout, "instructions", key, 1, [replace(rows[0], prompt="Another."), *rows[2:]], {})
    with pytest.raises(WorkspaceError, match=f"does not write the prompt of {rows[0].utterance_id}"):
        explain(run, rows[0].utterance_id)
    with pytest.raises(WorkspaceError, match=f"{rows[1].utterance_id} has no prompt: `dialoguellm rejects"):
        explain(run, rows[1].utterance_id)
    write_shard(run.layout, "instructions", key, 1, rows, {})
    with pytest.raises(WorkspaceError, match="has no adapter"):
        explain(described(tmp_path, tiny_model, splits=(), finetune={"enabled": False}), LINE)


def test_a_line_alone_has_no_parts(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"context": 0, "speaker": "off", "description": False}
    found = explain(described(tmp_path, tiny_model, instructions=settings, finetune={"max_steps": 1}), LINE)
    assert found.parts == ()
    assert found.whole[0] >= found.whole[1] > 0


def test_examples_and_what_was_cut(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"shots": 3, "shots_by": "nearest", "context": 4, "max_tokens": 132, "speaker": "off"}
    run = described(tmp_path, tiny_model, instructions=settings, finetune={"max_steps": 1})
    found = explain(run, LINE)
    (stored,) = (row for row in read_rows(run.layout, "instructions", run.key(STAGE), 1) if row.utterance_id == LINE)
    assert stored.cuts
    assert "was cut to fit" in found.notes[0]
    assert len([name for name in parts(found) if name.startswith("context")]) == len(stored.context_ids) < 4
    assert "speakers" not in parts(found)
    assert [name for name in parts(found) if name.startswith("example")][:1] == ["example 1"]
