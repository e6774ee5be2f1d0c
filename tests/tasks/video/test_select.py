"""Which candidates are chosen, and how many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tasks.video.measure import Look, Luma
from tasks.video.select import choose, choose_uniform
from tasks.video.window import Candidate, Window


def thumb(seed: int) -> Luma:
    return np.random.default_rng(seed).integers(40, 220, (36, 64)).astype(np.uint8)


def window(
    seconds: float, cuts: tuple[float, ...] = (), same: bool = False, looks: dict[int, Look] | None = None
) -> Window:
    """Twelve frames a second, each a candidate; a jump at each of ``cuts``; ``looks`` replaces some by index."""
    made = Window(0.0, float("inf"))
    for at in range(round(seconds * 12)):
        jump = any(round(cut * 12) == at for cut in cuts)
        usual = Look(at / 12, 100.0, 120.0, 50.0, 70.0 if jump else 1.0, False)
        made.looks.append((looks or {}).get(at, usual))
        made.candidates.append(Candidate(made.looks[-1], thumb(0 if same else at), at, at, 0))
    return made


def picks(made: Window, most: int = 4) -> list[int]:
    return [picked.candidate.index for picked in choose(made, most)]


@pytest.mark.parametrize(("seconds", "count"), [(0.1, 1), (1.0, 1), (1.3, 2), (3.5, 3), (4.7, 4), (60.0, 4)])
def test_longer_lines_get_more_frames(seconds: float, count: int) -> None:
    assert len(picks(window(seconds))) == count
    assert len(choose_uniform(window(seconds), 4)) == count


def test_one_shot_is_shown_evenly() -> None:
    assert picks(window(4.8)) == pytest.approx([7, 21, 36, 50], abs=5)


def test_every_shot_is_shown_even_in_a_short_line() -> None:
    found = picks(window(1.5, cuts=(0.5, 1.0)))
    assert [index // 6 for index in found] == [0, 1, 2]
    assert all(index % 6 in (2, 3) for index in found), "away from the cuts"


def test_the_longest_shots_are_shown_where_there_are_too_many() -> None:
    found = picks(window(9.0, cuts=(2.0, 2.5, 5.0, 5.5, 8.0)), most=3)
    assert len(found) == 3
    assert [1 if t < 24 else 2 if 30 <= t < 60 else 3 if 66 <= t < 96 else 0 for t in found] == [1, 2, 3]


def test_the_sharpest_wins_unless_it_is_unfit() -> None:
    sharp = Look(8 / 12, 400.0, 120.0, 50.0, 1.0, False)
    dark = Look(8 / 12, 400.0, 3.0, 50.0, 1.0, False)
    damaged = Look(8 / 12, 400.0, 120.0, 50.0, 1.0, True)
    assert picks(window(1.0, looks={8: sharp})) == [8]
    assert picks(window(1.0, looks={8: dark})) != [8]
    assert picks(window(1.0, looks={8: damaged})) != [8]


def test_an_unfit_shot_is_left_out_and_something_is_always_shown() -> None:
    dark = {at: Look(at / 12, 9.0, 3.0, 2.0, 70.0 if at == 12 else 0.0, False) for at in range(12, 24)}
    assert [index < 12 for index in picks(window(2.0, cuts=(1.0,), looks=dark))] == [True]
    assert len(picks(window(1.0, looks={at: Look(at / 12, 0.0, 0.0, 0.0, 0.0, False) for at in range(12)}))) == 1
    assert picks(Window(0.0, 1.0)) == []


def test_the_same_picture_is_shown_once() -> None:
    assert len(picks(window(4.8, same=True))) == 1


def test_a_face_decides_between_the_two_best() -> None:
    made = window(1.0)
    asked: list[int] = []

    def face(candidate: Candidate) -> float:
        asked.append(candidate.index)
        return 1.0 if len(asked) == 2 else 0.0

    assert [picked.candidate.index for picked in choose(made, 4, face)] == asked[1:2]
    assert len(asked) == 2


def faces_in(*indices: int, prominence: float = 1.0) -> tuple[Callable[[Candidate], float], list[int]]:
    """A finder that sees a face in these looks, and what it was asked about."""
    asked: list[int] = []

    def face(candidate: Candidate) -> float:
        asked.append(candidate.index)
        return prominence if candidate.index in indices else 0.0

    return face, asked


def test_the_second_best_is_looked_at_where_somebody_is_seen_elsewhere() -> None:
    made = window(3.0)
    first, second, third = picks(made)
    face, asked = faces_in(first)
    choose(made, 4, face)
    assert asked[:3] == [first, second, third]
    assert len(asked) == 5
    better, _ = faces_in(first, asked[3])
    assert [one.candidate.index for one in choose(made, 4, better)] == [first, asked[3], third]


def test_where_nobody_is_seen_in_several_frames_no_more_are_looked_at() -> None:
    made = window(3.0)
    face, asked = faces_in()
    assert [one.candidate.index for one in choose(made, 4, face)] == picks(made) == asked


def test_no_face_is_looked_for_where_it_could_not_win() -> None:
    sharp = Look(6 / 12, 400.0, 120.0, 50.0, 1.0, False)
    face, asked = faces_in(5, 7)
    assert [one.candidate.index for one in choose(window(1.0, looks={6: sharp}), 4, face)] == [6] == asked


def test_a_face_brings_back_no_picture_that_is_shown_already() -> None:
    made = window(2.25)
    first, second = picks(made)
    known, asked = faces_in(first)
    choose(made, 4, known)
    rival = asked[2]
    made.candidates[rival] = replace(made.candidates[rival], thumb=made.candidates[first].thumb)
    face, asked = faces_in(first, rival)
    assert [one.candidate.index for one in choose(made, 4, face)] == [first, second]
    assert rival not in asked


def test_faces_add_to_the_score_and_change_nothing_else() -> None:
    made = window(4.8)
    plain, seen = choose(made, 4), choose(made, 4, lambda _: 0.4)
    assert [one.candidate.index for one in plain] == [one.candidate.index for one in seen]
    assert [one.score for one in seen] == pytest.approx([(one.score or 0.0) + 0.2 for one in plain])


def test_a_face_in_the_best_ends_the_looking() -> None:
    asked: list[int] = []

    def face(candidate: Candidate) -> float:
        asked.append(candidate.index)
        return 0.1

    assert [picked.candidate.index for picked in choose(window(1.0), 4, face)] == asked
    assert len(asked) == 1
