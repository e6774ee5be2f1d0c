"""Cuts found and not found in rows of changes."""

from __future__ import annotations

import pytest

from tasks.video.measure import Look
from tasks.video.shots import find_cuts, find_shots


def looks(changes: list[float], rate: float = 24.0) -> list[Look]:
    return [Look(at / rate, 100.0, 120.0, 50.0, change, False) for at, change in enumerate(changes)]


def still(count: int) -> list[float]:
    return [1.0] * count


def test_a_jump_is_a_cut() -> None:
    changes = [*still(20), 70.0, *still(20), 40.0, *still(9)]
    assert find_cuts(looks(changes)) == [20, 41]


@pytest.mark.parametrize(
    "changes",
    [still(40), [80.0, *still(20)], [30.0] * 40, [float(at) for at in range(18)], [5.0], []],
    ids=["still", "first frame", "steady motion", "acceleration", "one frame", "nothing"],
)
def test_no_cut_without_a_jump(changes: list[float]) -> None:
    assert find_cuts(looks(changes)) == []


def test_a_flash_is_at_most_one_cut() -> None:
    assert len(find_cuts(looks([*still(20), 90.0, 88.0, *still(20)]))) == 1


def test_a_cut_beside_a_flash_is_one_cut() -> None:
    assert find_cuts(looks([*still(20), 90.0, 85.0, *still(20)])) == [20]


def test_a_small_jump_between_still_pictures_is_a_cut() -> None:
    assert find_cuts(looks([*still(20), 15.0, *still(20)])) == [20]
    assert find_cuts(looks([*still(20), 15.0, 6.0, 5.0, *still(20)])) == [], "a gesture goes on"


def test_somebody_who_walks_by_is_no_cut() -> None:
    passing = [1.0, 6.0, 21.0, 25.0, 31.0, 19.0, 17.0, 7.0, 1.0]
    assert find_cuts(looks([*still(20), *passing, *still(20)], rate=15.0)) == []


def test_shots_cover_everything_once() -> None:
    changes = [*still(20), 70.0, *still(20)]
    shots = find_shots(looks(changes))
    assert [(shot.first, shot.last) for shot in shots] == [(0, 19), (20, 40)]
    assert shots[0].end_s == shots[1].start_s == pytest.approx(20 / 24)
    assert sum(shot.seconds for shot in shots) == pytest.approx(41 / 24)


def test_one_frame_is_one_shot() -> None:
    assert [(shot.first, shot.last, shot.seconds) for shot in find_shots(looks([0.0]))] == [(0, 0, 0.0)]
