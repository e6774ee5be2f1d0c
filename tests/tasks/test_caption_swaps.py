"""Who gets whose caption."""

from __future__ import annotations

from collections import Counter

from scored_run import line

from model.dialogue import Caption, Utterance
from tasks.caption_swaps import swapped_across, swapped_within


def corpus(*emotions: str, name: str = "demo") -> list[Utterance]:
    return [line("dev", place // 5, place % 5, emotion, name) for place, emotion in enumerate(emotions)]


def captions(rows: list[Utterance]) -> dict[str, Caption]:
    return {row.utterance_id: Caption(row.utterance_id, row.utterance_id, "m", "1", "p", 1, 1, (), 0.0) for row in rows}


MANY = corpus(*["joy"] * 8, *["anger"] * 5, *["fear"] * 4, "sadness")
OF = {row.utterance_id: row.emotion for row in MANY}


def test_within_an_emotion_each_caption_is_used_once_and_by_another_line() -> None:
    given = swapped_within(MANY, captions(MANY), 3)
    assert Counter(row.text for row in given.values()) == Counter(OF.keys())
    assert all(OF[row.text] == OF[name] for name, row in given.items())
    assert [name for name, row in given.items() if row.text == name] == [MANY[-1].utterance_id]


def test_across_emotions_each_caption_is_used_once_and_of_another_emotion() -> None:
    given = swapped_across(MANY, captions(MANY), 3)
    assert Counter(row.text for row in given.values()) == Counter(OF.keys())
    assert all(OF[row.text] != OF[name] for name, row in given.items())


def test_where_one_emotion_has_most_captions_the_others_are_drawn_more_than_once() -> None:
    rows = corpus(*["joy"] * 9, "anger", "fear")
    emotions = {row.utterance_id: row.emotion for row in rows}
    given = swapped_across(rows, captions(rows), 0)
    assert len(given) == 11
    assert all(emotions[row.text] != emotions[name] for name, row in given.items())


def test_with_one_emotion_alone_every_line_keeps_its_own() -> None:
    rows = corpus("joy", "joy")
    assert all(row.text == name for name, row in swapped_across(rows, captions(rows), 0).items())
    assert swapped_across([], {}, 0) == swapped_within([], {}, 0) == {}


def test_lines_without_a_caption_give_and_get_none() -> None:
    known = captions(MANY[2:])
    for swap in (swapped_within, swapped_across):
        given = swap(MANY, known, 1)
        assert given.keys() == {row.text for row in given.values()} == known.keys()


def test_corpora_are_not_mixed() -> None:
    rows = [*corpus("joy", "joy", "anger", "anger"), *corpus("joy", "joy", "anger", "anger", name="meld")]
    for swap in (swapped_within, swapped_across):
        given = swap(rows, captions(rows), 1)
        assert all(name.split("/")[0] == row.text.split("/")[0] for name, row in given.items())


def test_the_seed_alone_decides() -> None:
    def drawn(seed: int, rows: list[Utterance]) -> dict[str, str]:
        return {name: row.text for name, row in swapped_within(rows, captions(rows), seed).items()}

    assert drawn(1, MANY) == drawn(1, MANY[::-1]) != drawn(2, MANY)
