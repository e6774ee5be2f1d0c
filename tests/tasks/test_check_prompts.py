"""How long prompts are, what they lose and which are refused, said before a run; as the stage itself writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.dialogue import Utterance
from tasks import check_prompts, instructions
from tasks.check_prompts import _pool
from tasks.check_text import Finding
from tasks.instructions import InstructionsSettings
from tasks.stage import Context


def line(split: str, dialogue: int, turn: int, text: str) -> Utterance:
    name = f"meld/{split}/{dialogue}/{turn}"
    return Utterance(name, "meld", split, str(dialogue), turn, str(turn), "Ana", text, "joy")


LINES = [
    line(split, dialogue, turn, "word " * (turn + 1))
    for split in ("train", "dev", "test")
    for dialogue in range(4)
    for turn in range(3)
]


def look(model: Path | str, lines: list[Utterance] = LINES, **settings: Any) -> list[Finding]:
    chosen = InstructionsSettings(model=str(model), **settings)
    return list(check_prompts.all_of(lines, 3, chosen, Path("/nonexistent")))


def brief(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(item.level, item.check, item.id) for item in found]


def test_each_split_is_one_finding(tiny_model: Path) -> None:
    found = look(tiny_model)
    assert brief(found) == [("info", "prompts", f"meld/{split}") for split in ("train", "dev", "test")]
    settings = InstructionsSettings(model=str(tiny_model))
    rows = {"utterances": LINES[:12], "captions": []}
    counts = sorted(
        row.n_prompt_tokens  # type: ignore[union-attr]
        for row in instructions.run(rows, settings, Context(cache=Path(), folder=Path()))
    )
    assert found[0].detail == (
        f"12 of text only, tokens min {counts[0]}, median {counts[5]}, 95 % {counts[11]}, max {counts[11]} of 512; "
        "cut: context 0, shots 0, description 0; answers truncated: 0"
    )


def test_what_is_cut_is_a_warning_and_no_answer_is_ever_truncated(tiny_model: Path) -> None:
    longest = int(look(tiny_model)[0].detail.split("max ")[1].split()[0])
    found = look(tiny_model, max_tokens=longest, shots=2)
    assert brief(found) == [("warning", "prompts", f"meld/{split}") for split in ("train", "dev", "test")]
    assert "cut: context 8, shots 12, description 0; answers truncated: 0" in found[0].detail


def test_refused_prompts_are_errors_by_their_reason(tiny_model: Path) -> None:
    lines = [*LINES, line("dev", 9, 0, "word " * 600), line("dev", 9, 1, "word " * 600)]
    found = look(tiny_model, lines, max_rejects=0.1)
    assert brief(found) == [
        ("info", "prompts", "meld/train"),
        ("error", "too_long", "meld/dev"),
        ("info", "prompts", "meld/dev"),
        ("info", "prompts", "meld/test"),
    ]
    assert found[1].detail.startswith("prompts refused: 2 of 14, the first meld/dev/9/0: ")
    first = look(tiny_model, lines, max_rejects=0.05)[0]
    assert (first.level, first.check, first.id) == ("error", "too_many_rejects", "instructions")


def test_shots_come_from_the_shards_that_the_stage_would_read(tiny_model: Path) -> None:
    settings = InstructionsSettings(model=str(tiny_model), shots=2, shots_pool=4, seed=3)
    pool = _pool(LINES, 3, settings)
    assert {row.split for row in pool} == {"train"}
    assert len(pool) == 6
    assert pool != _pool(LINES, 3, settings.model_copy(update={"seed": 4}))


def test_without_the_tokenizer_it_is_said_and_nothing_is_fetched(tmp_path: Path) -> None:
    (found,) = check_prompts.all_of(LINES, 3, InstructionsSettings(), tmp_path / "cache")
    assert (found.level, found.check, found.id) == ("info", "prompts", "instructions")
    assert "not counted" in found.detail
    assert list(tmp_path.iterdir()) == []


def test_a_limit_beyond_the_tokenizer_s_is_an_error(tiny_model: Path) -> None:
    (found,) = look(tiny_model, max_tokens=5000)
    assert (found.level, found.check) == ("error", "prompts")
    assert "instructions.max_tokens = 5000" in found.detail
    assert look("no/such/folder/at/all") == []


@pytest.mark.parametrize("damage", ["tokenizer.json"])
def test_a_damaged_model_is_a_finding(tiny_model: Path, tmp_path: Path, damage: str) -> None:
    import shutil

    folder = shutil.copytree(tiny_model, tmp_path / "model")
    (folder / damage).write_text("{")
    (found,) = look(folder)
    assert found.level == "error"
