"""What a window keeps: every look, few frames, the best ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.video.measure import Look
from tasks.video.window import Window

DARK, BRIGHT = np.full((36, 64), 40, np.uint8), np.full((36, 64), 200, np.uint8)


def look(time_s: float, sharpness: float = 100.0, suspect: bool = False) -> Look:
    return Look(time_s, sharpness, 120.0, 50.0, 0.0, suspect)


def fill(window: Window, looks: list[Look], bright: Callable[[int], bool] = lambda _at: False) -> Window:
    for at, each in enumerate(looks):
        window.add(each, BRIGHT if bright(at) else DARK, at)
    return window


def test_the_best_frame_of_a_quarter_second_stays() -> None:
    window = fill(Window(0.0, 9.0), [look(0.00), look(0.04, 300), look(0.08), look(0.26), look(0.30, suspect=True)])
    assert [candidate.frame for candidate in window.candidates] == [1, 3]
    assert len(window.looks) == 5


def test_uniform_keeps_the_first() -> None:
    window = fill(Window(0.0, 9.0, best=False), [look(0.00), look(0.04, 300), look(0.26)])
    assert [candidate.frame for candidate in window.candidates] == [0, 2]


def test_a_cut_opens_a_bucket_of_its_own() -> None:
    window = fill(
        Window(0.0, 9.0), [look(0.00, 300), look(0.04), look(0.08), look(0.12, 200)], bright=lambda at: at >= 2
    )
    assert [each.change for each in window.looks] == [0.0, 0.0, 160.0, 0.0]
    assert [(c.frame, c.run) for c in window.candidates] == [(0, 0), (3, 1)]


def test_what_hides_the_same_picture_for_a_moment_is_passing() -> None:
    window = fill(Window(0.0, 9.0), [look(at / 24) for at in range(24)], bright=lambda at: 9 <= at < 12)
    assert [at for at, each in enumerate(window.looks) if each.passing] == [9, 10, 11]
    assert all(each.change < 1 for each in window.looks)
    assert [(c.frame, c.look.unfit) for c in window.candidates if 9 <= c.frame < 12] == [(10, True)]


def test_a_shot_between_two_of_the_same_picture_stays_one() -> None:
    window = fill(Window(0.0, 9.0), [look(at / 24) for at in range(40)], bright=lambda at: 9 <= at < 19)
    assert not any(each.passing for each in window.looks)
    assert [at for at, each in enumerate(window.looks) if each.change > 100] == [9, 19]


def test_memory_does_not_grow_with_length() -> None:
    window = fill(Window(10.0, 9e9, most=16), [look(10 + at / 10, 100 + at % 7) for at in range(20_000)])
    assert 8 <= len(window.candidates) <= 16
    times = [candidate.look.time_s for candidate in window.candidates]
    assert np.diff(times).max() < 2.5 * np.median(np.diff(times)), "spread over the whole length"
    assert {candidate.look.sharpness for candidate in window.candidates} == {106.0}


def test_memory_does_not_grow_with_cuts_either() -> None:
    window = fill(Window(0.0, 9e9, most=8), [look(at / 10) for at in range(1000)], bright=lambda at: at % 2 == 0)
    assert len(window.candidates) <= 8
