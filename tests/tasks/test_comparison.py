"""What a comparison shows beside the differences."""

from __future__ import annotations

from pathlib import Path

import pytest
from scored_run import recorded, right_but
from shown_run import LINES, TEST, described

from model.dialogue import Caption
from storage.shards import write_shard
from tasks.compare import Pair, differences, pairs
from tasks.comparison import costs, flipped, settings, side_by_side
from tasks.plan import Run
from tasks.stages import BY_NAME
from tasks.systems import Systems


def pair(first: Run, second: Run, systems: tuple[str, str] = ("tuned", "tuned")) -> Pair:
    one, other = (Systems(run, "test").said(name) for run, name in zip((first, second), systems, strict=True))
    return pairs(one, other, "test")[0]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two runs with frames and captions, whose seeds differ: wrong at 6 and at 20 of 48 lines, 2 of them the same."""
    root = tmp_path_factory.mktemp("runs")
    first = described(root, LINES, (0, 1, 2, 3, 4, 5), "first")
    tables = {"captions": {"enabled": True}, "ingest": {"corpus": "demo"}, "finetune": {"seed": 1}}
    second = recorded(root, right_but(TEST, range(4, 24)), LINES, tables, "second")
    return first, second


def test_both_sides_have_intervals_and_their_difference_is_that_of_compare(runs: tuple[Run, Run]) -> None:
    found = side_by_side(pair(*runs), 1000, 0)
    assert set(found.bounds[0]) == set(found.bounds[1]) == {"accuracy", "weighted_f1", "macro_f1"}
    accuracy = differences(pair(*runs), 1000, 0)[0]
    for ends, value in zip(found.bounds, (accuracy.first_value, accuracy.second_value), strict=True):
        low, high = ends["accuracy"]
        assert low < value < high
    assert found.counts.shape == (2, 7, 8)
    assert found.counts.sum() == 2 * 48


def test_labels_that_occur_have_a_difference_with_its_interval(runs: tuple[Run, Run]) -> None:
    found = {one.label: one for one in side_by_side(pair(*runs), 1000, 0).labels}
    assert {name: one.support for name, one in found.items()} == {"neutral": 24, "joy": 12, "anger": 12}
    neutral = found["neutral"]
    assert neutral.difference == pytest.approx(neutral.first - neutral.second)
    assert neutral.bounds
    assert neutral.bounds[0] <= neutral.difference <= neutral.bounds[1]


def test_what_flipped_is_shown_with_both_answers(runs: tuple[Run, Run]) -> None:
    found = flipped(pair(*runs), 6)
    assert [item.example.right for item in found] == [True] * 3 + [False] * 3
    for item in found:
        assert (item.other.predicted == item.other.gold) is not item.example.right
        assert item.example.top[0][1] == pytest.approx(0.7)
        assert item.other_top[0][1] == pytest.approx(0.7)
        assert len(item.example.thumbnails) == 2
        assert item.example.caption
        assert item.other_caption is None  # both read the same
    assert len(flipped(pair(*runs), 100)) == 22
    assert flipped(pair(runs[0], runs[0]), 6) == []


def test_other_captions_are_shown_beside(tmp_path: Path) -> None:
    first = described(tmp_path, LINES, (0,), "first")
    tables = {"captions": {"enabled": True, "model": "cues"}, "ingest": {"corpus": "demo"}}
    second = recorded(tmp_path, right_but(TEST, (1,)), LINES, tables, "second")
    captions = [Caption(row.utterance_id, "A hand.", "cues", "r", "p", 2, 9, (), 0.1) for row in TEST]
    write_shard(second.layout, "captions", second.key(BY_NAME["captions"]), 2, captions, {})
    assert {item.other_caption for item in flipped(pair(first, second), 6)} == {"A hand."}


def test_a_floor_has_answers_without_probabilities(runs: tuple[Run, Run]) -> None:
    found = flipped(pair(runs[0], runs[0], ("tuned", "majority")), 4)
    assert found
    assert all(item.other_top == [] and item.example.top for item in found)


def test_settings_that_differ_are_named_and_no_others(runs: tuple[Run, Run], tmp_path: Path) -> None:
    assert settings(*runs) == [("finetune", "seed", "0", "1")]
    assert settings(runs[0], runs[0]) == []
    off = recorded(tmp_path, right_but(TEST, (1,)))
    found = settings(runs[0], off)
    assert ("captions", "enabled", "true", "false") in found
    assert [stage for stage, *_ in found].count("captions") == 1


def test_costs_say_what_is_shared(runs: tuple[Run, Run]) -> None:
    found = {one.stage: one for one in costs(*runs)}
    assert found["captions"].shared
    assert found["captions"].rows == (48, 48)
    assert not found["evaluate"].shared
    assert found["finetune"].keys[0] != found["finetune"].keys[1]
    assert "calibrate" not in found  # off on both sides
