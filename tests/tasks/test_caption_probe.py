"""What captions give away by themselves."""

from __future__ import annotations

from described_run import caption, lines

from model.dialogue import Caption
from tasks.caption_probe import captions_alone, commonest

TRAIN, DEV = lines("train"), lines("dev")
ALL = {row.utterance_id: caption(row) for row in (*TRAIN, *DEV)}


def test_captions_that_tell_the_emotion_are_found_out() -> None:
    assert captions_alone(TRAIN, DEV, ALL) == {row.utterance_id: row.emotion for row in DEV}


def test_captions_that_tell_nothing_give_the_commonest_label() -> None:
    same = {name: Caption(name, "People talk.", "m", "1", "p", 1, 1, (), 0.0) for name in ALL}
    found = captions_alone(TRAIN, DEV, same)
    assert found == commonest(TRAIN, DEV)
    assert {*found.values()} == {"anger"}


def test_of_a_line_without_a_caption_nothing_is_read() -> None:
    known = {name: row for name, row in ALL.items() if name != DEV[0].utterance_id}
    assert captions_alone(TRAIN, DEV, known).keys() == {row.utterance_id for row in DEV}


def test_without_captioned_train_lines_there_is_no_probe() -> None:
    assert captions_alone(TRAIN, DEV, {}) == {}
    assert captions_alone([], DEV, ALL) == commonest([], DEV) == {}
