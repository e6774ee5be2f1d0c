"""Prompts with other descriptions are the stage's own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from described_run import UNCAPTIONED, described

from model.errors import SettingsError, WorkspaceError
from storage.shards import read_rows, write_shard
from tasks.instructions import STAGE
from tasks.reassemble import as_they_are, prompts, read_split, train_rows

OFF = {"finetune": {"enabled": False}}


@pytest.mark.parametrize(
    "settings", [{}, {"shots": 2, "shots_by": "nearest", "max_tokens": 120}, {"preset": "paper-video"}], ids=str
)
def test_the_descriptions_as_they_are_give_the_stored_prompts(
    tiny_model: Path, tmp_path: Path, settings: dict[str, object]
) -> None:
    split = read_split(described(tmp_path, tiny_model, instructions=settings, **OFF), "dev")
    stored = as_they_are(split)
    assert len(stored) == 40
    same = prompts(split, {name: row.text for name, row in split.captions.items()})
    assert [row.prompt.encode() for row in same] == [row.prompt.encode() for row in stored]


def test_other_descriptions_change_the_prompts_of_captioned_lines_alone(tiny_model: Path, tmp_path: Path) -> None:
    split = read_split(described(tmp_path, tiny_model, **OFF), "dev")
    before = {row.utterance_id: row for row in as_they_are(split)}
    after = {row.utterance_id: row for row in prompts(split, dict.fromkeys(split.captions, "Nobody."))}
    assert after[UNCAPTIONED] == before[UNCAPTIONED]
    for name, row in split.captions.items():
        assert after[name].prompt == before[name].prompt.replace(row.text, "Nobody.")
    assert all("[Video" not in row.prompt for row in prompts(split, {}))


def test_prompts_of_another_program_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model, **OFF)
    rows = read_rows(run.layout, "instructions", run.key(STAGE), 1)
    rows[4] = replace(rows[4], prompt="Another.")
    write_shard(run.layout, "instructions", run.key(STAGE), 1, rows, {})
    with pytest.raises(WorkspaceError, match=f"the first that differs: {rows[4].utterance_id}"):
        as_they_are(read_split(run, "dev"))


def test_what_has_no_descriptions_or_prompts_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path / "a", tiny_model, splits=("train",), **OFF)
    assert len(train_rows(run)[1]) == 100
    with pytest.raises(WorkspaceError, match="the instructions of dev are not all there"):
        read_split(run, "dev")
    for place, settings in (("b", {"instructions": {"description": False}}), ("c", {"captions": {"enabled": False}})):
        run = described(tmp_path / place, tiny_model, splits=(), **settings, **OFF)
        with pytest.raises(SettingsError, match="prompts hold no description of a video"):
            read_split(run, "dev")
