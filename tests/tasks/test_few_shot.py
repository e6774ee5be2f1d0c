from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from model.dialogue import Utterance
from model.emotions import labels
from tasks.few_shot import By, Draw, dialogue_of, examples, shards_of_pool

LABELS = labels("meld")


def line(dialogue: int, turn: int, emotion: str, split: str = "train") -> Utterance:
    name = f"meld/{split}/{dialogue}/{turn}"
    return Utterance(name, "meld", split, str(dialogue), turn, str(turn), "Ross", f"line {name}", emotion)


POOL = [line(d, t, LABELS[(d + t) % 7] if t == 0 else "neutral") for d in range(30) for t in range(5)]


@pytest.mark.parametrize("by", ["seed", "class"])
@pytest.mark.parametrize("n", [0, 1, 5, 10, 20])
def test_the_same_seed_draws_the_same_lines_in_whatever_order_the_pool_comes(n: int, by: By) -> None:
    drawn = Draw(POOL, n, by, 3).examples("meld/test/0")
    assert len({row.utterance_id for row in drawn}) == n
    assert drawn == Draw(POOL[::-1], n, by, 3).examples("meld/dev/0")
    others = {Draw(POOL, n, by, seed).examples("meld/test/0") for seed in range(5)}
    assert len(others) > 1 or n == 0


@pytest.mark.parametrize("by", ["seed", "class"])
def test_no_line_of_the_dialogue_itself_and_none_that_is_not_of_train(by: By) -> None:
    foreign = [line(0, turn, "joy", split) for split in ("dev", "test") for turn in range(5)]
    draw = Draw([*POOL, *foreign], 10, by, 0)
    common, touched = draw.examples("meld/test/0"), set()
    for dialogue in (f"meld/train/{number}" for number in range(30)):
        drawn = draw.examples(dialogue)
        assert len(drawn) == 10
        assert all(row.split == "train" and dialogue_of(row.utterance_id) != dialogue for row in drawn)
        touched |= {dialogue} if drawn != common else set()
    assert touched == {dialogue_of(row.utterance_id) for row in common}


def test_by_class_takes_the_labels_in_turn_and_drops_none_for_good() -> None:
    ten = Counter(row.emotion for row in Draw(POOL, 10, "class", 0).examples("x"))
    assert {*ten} == {*LABELS}
    assert {*ten.values()} == {1, 2}
    first = {Draw(POOL, 1, "class", seed).examples("x")[0].emotion for seed in range(60)}
    assert first == {*LABELS}
    for few, more in pairwise(Draw(POOL, n, "class", 0).examples("x") for n in (1, 5, 10)):
        assert more[: len(few)] == few


def test_by_class_goes_on_without_a_label_that_has_run_out() -> None:
    rows = [line(0, 0, "fear"), *(line(1, turn, "joy") for turn in range(5))]
    assert Counter(row.emotion for row in Draw(rows, 4, "class", 0).examples("x")) == {"fear": 1, "joy": 3}


def test_no_text_comes_twice_with_one_label_or_two() -> None:
    rows = [replace(line(d, 0, LABELS[d % 7]), text="Yeah?" if d % 2 else "yeah?") for d in range(20)]
    assert len(Draw([*rows, *POOL[:2]], 20, "seed", 0).examples("x")) == 3
    assert len(Draw([*rows, *POOL[:2]], 20, "class", 0).examples("x")) == 3


@pytest.mark.parametrize("by", ["seed", "class"])
def test_a_corpus_too_small_gives_what_it_has(by: By) -> None:
    assert Draw([], 5, by, 0).examples("x") == ()
    assert len(Draw(POOL[:5], 10, by, 0).examples("meld/train/1")) == 5
    assert Draw(POOL[:5], 10, by, 0).examples("meld/train/0") == ()


@pytest.mark.parametrize("by", ["seed", "class", "nearest"])
def test_examples_are_of_the_line_s_own_corpus(by: By) -> None:
    other = [replace(row, utterance_id=f"table-{row.utterance_id}", corpus="table-meld") for row in POOL]
    asked = [line(90, 0, "joy", "test"), replace(other[0], utterance_id="table-meld/test/0/0", split="test")]
    found = list(examples([*asked, *asked], [*POOL, *other], 5, by, 0))
    assert [{row.corpus for row in shown} for shown in found] == [{"meld"}, {"table-meld"}] * 2
    assert found[0] == next(examples(asked, POOL, 5, by, 0))
    assert list(examples(asked, [], 5, by, 0)) == [(), ()]


def test_the_pool_is_whole_shards_until_there_are_enough() -> None:
    assert shards_of_pool([5, 5, 5], 0, 5) == shards_of_pool([5, 5, 5], 0, 1)
    drawn = [tuple(shards_of_pool([5] * 6, seed, 11)) for seed in range(9)]
    assert {len(one) for one in drawn} == {3}
    assert len({*drawn}) > 1
    assert sorted(shards_of_pool([5] * 6, 0, 10**6)) == [*range(6)]
