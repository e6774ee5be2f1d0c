from __future__ import annotations

import random
from dataclasses import replace

import pytest

from model.dialogue import Utterance
from tasks.few_shot import examples
from tasks.nearest import Nearest, fitted


def line(place: str, text: str, emotion: str = "joy") -> Utterance:
    split, dialogue, turn = place.split("/")
    return Utterance(f"meld/{place}", "meld", split, dialogue, int(turn), turn, "Ross", text, emotion)


POOL = (
    line("train/0/0", "Where is the baby?"),
    line("train/0/1", "The baby sleeps in the other room."),
    line("train/1/0", "I lost my job today!", "sadness"),
    line("train/1/1", "You lost your job? How?", "surprise"),
    line("train/2/0", "Pizza for everybody!"),
    line("train/2/1", "Is the pizza cold?"),
    line("train/3/0", "I LOST MY JOB TODAY!", "anger"),
)


def near(text: str, n: int = 2, place: str = "dev/0/0") -> list[str]:
    ((*found,),) = Nearest(POOL, n).of([line(place, text)])
    return [row.utterance_id.removeprefix("meld/train/") for row in found]


def test_the_obvious_neighbour_is_found() -> None:
    assert near("Is my pizza cold already?")[0] == "2/1"
    assert near("Who lost a job today?")[0] == "1/0"
    assert near("The baby is in that room.")[0] == "0/1"


def test_no_text_comes_twice() -> None:
    assert near("My job, lost today!")[1] == "1/1"
    assert len(near("My job, lost today!", n=7)) == 6


def test_never_of_the_dialogue_itself() -> None:
    found = Nearest(POOL, 20)
    for asked in POOL:
        (shown,) = found.of([asked])
        assert asked.dialogue_id not in {row.dialogue_id for row in shown}
        assert len(shown) >= 4


def test_a_dialogue_that_stands_there_twice_does_not_give_itself_away() -> None:
    copied = [line("test/9/0", "I lost my job today"), line("test/9/1", "YOU lost your job... how?!")]
    first, second = Nearest(POOL, 20).of(copied)
    assert {"meld/train/1/0", "meld/train/3/0"}.isdisjoint(row.utterance_id for row in first)
    assert "meld/train/1/1" not in {row.utterance_id for row in second}
    elsewhere = [line("test/9/0", "What?"), line("test/9/1", "You lost your job? How?")]
    assert [*Nearest(POOL, 1).of(elsewhere)][1][0].utterance_id == "meld/train/1/1"


def test_the_same_whatever_the_order_of_the_pool_and_the_size_of_the_batch() -> None:
    asked = [line(f"dev/{n}/0", text) for n, text in enumerate(["A job for the baby?", "Qwrtz", "today!", ""] * 80)]
    whole = list(examples(asked, POOL, 3, "nearest", 0))
    assert whole == [one for row in asked for one in examples([row], POOL, 3, "nearest", 0)]
    mixed = random.Random(1).sample(POOL, len(POOL))
    assert list(examples(asked, mixed, 3, "nearest", 0)) == whole


def test_a_line_like_none_gets_what_the_seed_draws() -> None:
    asked = [line("dev/0/0", "Qwrtz")]
    drawn = [tuple(examples(asked, POOL[:6], 3, "seed", seed)) for seed in range(9)]
    assert drawn == [tuple(examples(asked, POOL[:6], 3, "nearest", seed)) for seed in range(9)]
    assert len({*drawn}) > 1


@pytest.mark.parametrize("texts", [[], ["…"], ["?!", "!!"]])
def test_a_pool_without_words_is_no_fault(texts: list[str]) -> None:
    pool = [line(f"train/{n}/0", text) for n, text in enumerate(texts)]
    assert [len(found) for found in Nearest(pool, 3).of([line("dev/0/0", "Hi")])] == [len(texts)]


def test_lines_of_another_split_are_never_shown() -> None:
    foreign = [replace(row, utterance_id=row.utterance_id.replace("train", "dev"), split="dev") for row in POOL]
    (found,) = examples([line("test/0/0", "Pizza?")], [*POOL[:3], *foreign], 20, "nearest", 0)
    assert {row.split for row in found} == {"train"}


def test_one_fit_serves_a_process() -> None:
    assert fitted(POOL, 2) is fitted(tuple(replace(row) for row in POOL), 2)
    assert fitted(POOL, 2) is not fitted(POOL, 3)
