from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from model.dialogue import Instruction
from model.errors import TrainingError
from model.packing import Item, encode
from tasks.training_gates import check, check_tokens, repeated


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


def test_a_scene_that_comes_again_in_dev_is_named_and_not_refused() -> None:
    again = row("meld/dev/9/1", prompt=ROWS[1].prompt, context=("meld/dev/9/0",))
    more = [row("meld/dev/9/0", prompt=ROWS[0].prompt), again, row("meld/dev/9/2", context=("meld/dev/9/1",))]
    train, dev = check([*ROWS, *more])
    assert repeated(train, dev) == ["meld/dev/9/1"]  # not the first: one line says little
    other = replace(again, utterance_id="emorynlp/dev/9/1")
    assert repeated(train, [*ROWS[3:], other]) == []


def test_one_line_that_two_dialogues_share_is_no_fault() -> None:
    check([*ROWS, row("meld/dev/9/0", prompt=ROWS[2].prompt)])


def test_examples_do_not_hide_that_a_dialogue_comes_twice() -> None:
    copies = [row("meld/dev/9/0", prompt=ROWS[0].prompt), row("meld/dev/9/1", prompt=ROWS[1].prompt)]
    shown = [replace(copy, messages=(("system", "Examples: …"), *copy.messages), prompt="other") for copy in copies]
    refused([*ROWS, *shown], "1 rows are dialogues of train as well as of dev: meld/dev/9 ")


def test_two_corpora_may_share_a_scene() -> None:
    copies = [row("emorynlp/dev/9/0", prompt=ROWS[0].prompt), row("emorynlp/dev/9/1", prompt=ROWS[1].prompt)]
    check([*ROWS, *copies])


# ---- tokens

NO_LIMIT = SimpleNamespace()


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def tokenised(tokenizer: Any, rows: list[Instruction]) -> tuple[list[Instruction], list[Item]]:
    items = [encode(tokenizer, one.prompt, [one.answer]) for one in rows]
    return [replace(one, n_prompt_tokens=len(item.prompt)) for one, item in zip(rows, items, strict=True)], items


def test_rows_of_the_right_tokens_pass(tokenizer: Any) -> None:
    rows, items = tokenised(tokenizer, ROWS)
    longest = max(len(item.prompt) + len(item.answers[0]) for item in items)
    check_tokens(tokenizer, rows, items, NO_LIMIT)
    check_tokens(tokenizer, rows, items, SimpleNamespace(max_position_embeddings=longest))
    with pytest.raises(TrainingError, match=rf"rows are longer than the {longest - 1} tokens .* lower instructions"):
        check_tokens(tokenizer, rows, items, SimpleNamespace(max_position_embeddings=longest - 1))


def test_prompts_that_were_cut_or_counted_otherwise(tokenizer: Any) -> None:
    rows, items = tokenised(tokenizer, ROWS)
    cut = [replace(items[0], prompt=items[0].prompt[1:]), *items[1:]]
    with pytest.raises(TrainingError, match=r"1 rows have prompts of other lengths .*: meld/train/0/0; set"):
        check_tokens(tokenizer, rows, cut, NO_LIMIT)


def word_tokenizer(words: str) -> Any:
    """Knows these words and no others."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: number for number, word in enumerate(["<unk>", "<end>", *words.split()])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="<end>")


def test_labels_that_the_tokenizer_does_not_know() -> None:
    known = word_tokenizer("neutral joy surprise anger sadness disgust fear Hi")
    rows, items = tokenised(known, [row("meld/train/0/0", "Hi Hi")])
    check_tokens(known, rows, items, NO_LIMIT)
    lacking = word_tokenizer("neutral joy surprise anger sadness Hi")
    rows, items = tokenised(lacking, [row("meld/train/0/0", "Hi Hi")])
    with pytest.raises(TrainingError, match=r"2 labels of meld cannot be written whole .*: fear, disgust; take"):
        check_tokens(lacking, rows, items, NO_LIMIT)
