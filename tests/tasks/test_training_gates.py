from __future__ import annotations

from dataclasses import replace

import pytest

from model.dialogue import Instruction
from model.errors import TrainingError
from tasks.training_gates import check


def row(utterance_id: str, prompt: str = "", answer: str = "joy", context: tuple[str, ...] = ()) -> Instruction:
    return Instruction(
        utterance_id, "sound", (("user", prompt or utterance_id),), prompt or utterance_id, answer, 9, context, None
    )


ROWS = [
    row("meld/train/0/0"),
    row("meld/train/0/1", context=("meld/train/0/0",)),
    row("meld/train/1/0"),
    row("meld/dev/0/0", answer="anger"),
    row("meld/dev/0/1", context=("meld/dev/0/0",)),
]


def refused(rows: list[Instruction], match: str) -> None:
    with pytest.raises(TrainingError, match=match):
        check(rows)


def test_good_rows_are_parted_by_split() -> None:
    train, dev = check(ROWS)
    assert train == ROWS[:3]
    assert dev == ROWS[3:]
    assert check(ROWS[:3]) == (ROWS[:3], [])


def test_test_rows_are_named_and_counted() -> None:
    names = [f"meld/test/0/{k}" for k in range(7)]
    refused([*ROWS, *map(row, names)], r"7 rows belong to the test split: meld/test/0/0, .*0/4, … \(2 more\)")


@pytest.mark.parametrize("context", ["meld/test/0/0", "meld/dev/0/0", "meld/train/1/0"])
def test_lines_of_other_dialogues_or_splits_in_the_context(context: str) -> None:
    refused([*ROWS, row("meld/train/0/2", context=("meld/train/0/1", context))], "1 rows show lines .*train/0/2")


@pytest.mark.parametrize("answer", ["", "  "])
def test_empty_answers(answer: str) -> None:
    refused([replace(ROWS[0], answer=answer), *ROWS[1:]], "1 rows have an empty answer: meld/train/0/0")


def test_answers_that_are_no_label() -> None:
    refused([replace(ROWS[3], answer="hungry"), *ROWS[:3]], "names no label: meld/dev/0/0")


def test_rows_that_come_twice() -> None:
    refused([*ROWS, ROWS[0]], "1 rows come more than once: meld/train/0/0")


def test_nothing_to_train_on() -> None:
    refused([], "no training rows")
    refused(ROWS[3:], "no training rows")


def test_a_dialogue_of_dev_that_is_one_of_train() -> None:
    copies = [row("meld/dev/9/0", prompt=ROWS[0].prompt), row("meld/dev/9/1", prompt=ROWS[1].prompt)]
    refused([*ROWS, *copies], "1 rows are dialogues of train as well as of dev: meld/dev/9 ")


def test_one_line_that_two_dialogues_share_is_no_fault() -> None:
    check([*ROWS, row("meld/dev/9/0", prompt=ROWS[2].prompt)])


def test_examples_do_not_hide_that_a_dialogue_comes_twice() -> None:
    copies = [row("meld/dev/9/0", prompt=ROWS[0].prompt), row("meld/dev/9/1", prompt=ROWS[1].prompt)]
    shown = [replace(copy, messages=(("system", "Examples: …"), *copy.messages), prompt="other") for copy in copies]
    refused([*ROWS, *shown], "1 rows are dialogues of train as well as of dev: meld/dev/9 ")


def test_two_corpora_may_share_a_scene() -> None:
    copies = [row("emorynlp/dev/9/0", prompt=ROWS[0].prompt), row("emorynlp/dev/9/1", prompt=ROWS[1].prompt)]
    check([*ROWS, *copies])
