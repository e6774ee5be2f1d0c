from __future__ import annotations

from dataclasses import replace

import pytest

from model.dialogue import Instruction
from model.errors import TrainingError
from tasks.speaker_task import questions

SYSTEM = "Name the emotion of the last line of the dialogue. Answer with one word: joy, anger."


def row(number: int, body: str, variant: str = "sound-c2-name-desc") -> Instruction:
    messages = (("system", SYSTEM), ("user", body))
    return Instruction(f"meld/train/0/{number}", variant, messages, f"{SYSTEM}\n{body}", "joy", 9, (), None)


ROWS = [
    row(0, "Ross: Hi."),
    row(1, "Ross: Hi.\n[Video: a man: he waves.]\nMonica: Oh: hello."),
    row(2, "Ross: Hi.\nMonica: Oh: hello.\nRoss: What?"),
    row(3, "Ross: Hi.\nRoss: Anyone?"),
]


def chat(before: tuple[tuple[str, str], ...], content: str) -> str:
    return "\n".join([*(text for _, text in before), content, ""])


def test_who_says_it_is_asked_of_rows_that_show_two_speakers() -> None:
    task = "Name the speaker of the last line of the dialogue. Answer with one name: Monica, Ross."
    assert questions(ROWS, 0.5, 3, chat) == [
        ("meld/train/0/1#speaker", f"{task}\nRoss: Hi.\n[Video: a man: he waves.]\n?: Oh: hello.\n", "Monica"),
        ("meld/train/0/2#speaker", f"{task}\nRoss: Hi.\nMonica: Oh: hello.\n?: What?\n", "Ross"),
    ]


def test_they_are_drawn_by_the_seed() -> None:
    many = [replace(ROWS[2], utterance_id=f"meld/train/1/{k}") for k in range(40)]
    first, again, other = (questions(many, 0.25, seed, chat) for seed in (1, 1, 2))
    assert first == again != other
    assert len(first) == len({name for name, _, _ in first}) == 10


@pytest.mark.parametrize("variant", ["sound-c2-off-desc", "paper-c2-name-desc"])
def test_prompts_without_speakers_are_refused(variant: str) -> None:
    rows = [replace(one, variant=variant) for one in ROWS]
    with pytest.raises(TrainingError, match="wants 2 rows, and 0 of 4 show two speakers or more; lower it"):
        questions(rows, 0.5, 3, chat)


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(TrainingError, match="wants 3 rows, and 2 of 4"):
        questions(ROWS, 0.75, 3, chat)
