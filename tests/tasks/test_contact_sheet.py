"""The sheet's pixels: frames in their places, faces framed, damage marked, text kept in its lines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from framed_run import GREY, REFUSED, SUSPECT, TEXT_ONLY, WITH_FACES, framed, keyframe
from numpy.typing import NDArray
from PIL import ImageColor

from model.dialogue import Keyframe
from tasks.contact_sheet import ACROSS, CELL, DAMAGE, FACE, GAP, PAPER, PERSON, THING, draw
from tasks.frames import Shown, find

TOP = 64
"""Where the first frames begin."""


@pytest.fixture
def shown(tmp_path: Path) -> list[Shown]:
    return find(framed(tmp_path), [WITH_FACES, SUSPECT, REFUSED, TEXT_ONLY])


def drawn(shown: list[Shown]) -> NDArray[np.uint8]:
    return np.asarray(draw(shown))


def places(sheet: NDArray[np.uint8], colour: str) -> NDArray[np.int64]:
    """(row, column) of the pixels that have exactly this colour."""
    return np.argwhere((sheet == ImageColor.getrgb(colour)).all(axis=2))


def alone(shown: Shown, *frames: Keyframe) -> list[Shown]:
    return [replace(shown, frames=list(frames))]


def test_frames_stand_side_by_side_in_their_size(shown: list[Shown]) -> None:
    sheet = drawn(shown[:1])
    assert sheet.shape[1] == GAP + 2 * (CELL + GAP)
    for at in (0, 1):
        left = GAP + at * (CELL + GAP)
        picture = sheet[TOP + 4 : TOP + 176, left + 4 : left + CELL - 4].astype(int)
        assert np.abs(picture - GREY).max(axis=2).min() < 3
        assert (np.abs(picture - GREY).max(axis=2) < 3).mean() > (0.9 if at == 0 else 0.99)
        assert tuple(sheet[TOP + 90, left - 2]) == ImageColor.getrgb(PAPER)


def test_a_face_is_framed_where_it_is(shown: list[Shown]) -> None:
    """The box of 160 × 240 at (320, 60) in a picture of 640 × 360 that is drawn half as large."""
    sheet = drawn(shown[:1])
    found = places(sheet[TOP : TOP + 180, GAP : GAP + CELL], FACE)
    rows, columns = found[:, 0], found[:, 1]
    assert (columns.min(), columns.max()) == (160, 239)
    assert rows.max() == 149
    edge = sheet[TOP + 30 : TOP + 150, GAP + 160]
    assert (edge == ImageColor.getrgb(FACE)).all(), "its left side is a line"
    assert tuple(sheet[TOP + 90, GAP + 200]) != ImageColor.getrgb(FACE), "and its inside is seen"
    assert not len(places(drawn(alone(shown[0], keyframe("x"))), FACE))


def test_people_and_things_are_framed_in_their_own_colours(shown: list[Shown]) -> None:
    people = ((0, 100.0, 60.0, 200.0, 200.0, 0.9),)
    things = ((0, "cup", 500.0, 200.0, 60.0, 80.0, 0.875), (1, "dining table", 0.0, 0.0, 640.0, 360.0, 0.625))
    sheet = drawn([replace(shown[0], people=people, objects=things)])[TOP : TOP + 180]
    first, second = (sheet[:, left : left + CELL] for left in (GAP, 2 * GAP + CELL))
    for colour, (left, top, right, bottom) in ((PERSON, (50, 30, 149, 129)), (THING, (250, 100, 279, 139))):
        assert (first[top : bottom + 1, [left, right]] == ImageColor.getrgb(colour)).all()
        assert (first[[top, bottom], left : right + 1] == ImageColor.getrgb(colour)).all()
    assert len(places(first, FACE))
    assert not len(places(second, PERSON))
    rows = places(second, THING)[:, 0]
    assert (rows.min(), rows.max()) == (0, 179), "around all of the picture"
    name = second[3:23, 3:100]
    assert (name == ImageColor.getrgb(THING)).all(axis=2).any(), "and its name is inside, where it can be read"


def test_damage_is_marked(shown: list[Shown]) -> None:
    assert len(places(drawn([shown[1]]), DAMAGE)) > 2 * (320 + 180)
    assert not len(places(drawn(alone(shown[1], keyframe("x"))), DAMAGE))


def test_lines_without_frames_say_why(shown: list[Shown]) -> None:
    for one in shown[2:]:
        sheet = drawn([one])
        assert sheet.shape[0] < 130
        assert len(places(sheet, DAMAGE)) > 100, "a sentence in red"


def test_many_frames_take_several_rows(shown: list[Shown]) -> None:
    sheet = drawn(alone(shown[0], *(keyframe("x", rank) for rank in range(9))))
    assert sheet.shape[1] == GAP + ACROSS * (CELL + GAP)
    assert sheet.shape[0] > 3 * 180


def test_text_stays_on_the_sheet_whatever_it_holds(shown: list[Shown]) -> None:
    hostile = replace(shown[0].utterance, text="\udcff\0" + "𒐫" * 10**5 + "\n" * 10**4, speaker="\u202e" * 10**4)
    sheet = drawn([replace(shown[0], utterance=hostile)])
    assert sheet.shape == drawn([shown[0]]).shape
    right = sheet[:TOP, -GAP:]
    assert (right == ImageColor.getrgb(PAPER)).all()


def test_what_is_no_picture_is_said(shown: list[Shown]) -> None:
    for bad in (b"", b"\xff\xd8\xff", b"GIF89a"):
        assert drawn(alone(shown[0], keyframe("x", jpeg=bad))).shape[0] > 200


def test_the_same_rows_give_the_same_pixels(shown: list[Shown]) -> None:
    assert (drawn(shown) == drawn(shown)).all()
    assert drawn(shown).shape[0] == sum(drawn([one]).shape[0] for one in shown)
