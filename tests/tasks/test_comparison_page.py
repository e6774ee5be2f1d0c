"""The page of two systems is whole and harmless, whatever the runs hold or lack."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import Page, assert_accessible, assert_harmless
from scored_run import recorded, right_but
from shown_run import LINES, TEST, described

from tasks.compare import differences, pairs
from tasks.comparison_page import render, write
from tasks.plan import Run
from tasks.systems import Said, Systems

HOW = {"resamples": 1000, "seed": 0}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7 * 7 }}\u202e"


def page(first: Said, second: Said, *, intersect: bool = False) -> Page:
    both = pairs(first, second, "test", intersect=intersect)
    return Page(render(both, [row for pair in both for row in differences(pair, 1000, 0)], HOW))


def tuned(run: Run) -> Said:
    return Systems(run, "test").said()


def odd(run: Run, wrong: Iterable[int], label: str | None = "fear") -> Said:
    """What a system would have said that is wrong at these places."""
    places = set(wrong)
    answers = {row.utterance_id: label if place in places else row.emotion for place, row in enumerate(TEST)}
    return Said(run, "odd", {row.utterance_id: row.emotion for row in TEST}, answers)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    root = tmp_path_factory.mktemp("runs")
    tables = {"captions": {"enabled": True}, "ingest": {"corpus": "demo"}, "finetune": {"seed": 1}}
    second = recorded(root, right_but(TEST, range(4, 24)), LINES, tables, "second")
    return described(root, LINES, (0, 1, 2, 3, 4, 5), "first"), second


@pytest.fixture(scope="module")
def found(runs: tuple[Run, Run]) -> Page:
    return page(tuned(runs[0]), tuned(runs[1]))


def test_everything_is_shown(found: Page, runs: tuple[Run, Run]) -> None:
    words = [*(run.run_id for run in runs), "A less B", "McNemar", "Detectable", "swap p", "87.5", "58.3"]
    words += ["finetune seed", "The video, described:", "A rests on", "shared", "a difference of +29.2 points ["]
    assert [one for one in words if one not in found.text] == []
    assert sum(attributes.get("class") == "chart" for _, attributes in found.elements) == 3
    assert found.text.count("A right, B wrong") == 8
    assert found.text.count("B right, A wrong") == 4
    assert found.count("img") == 24
    assert_harmless(found)
    assert_accessible(found)


def test_the_lead_says_whether_it_could_be_chance(found: Page, runs: tuple[Run, Run]) -> None:
    assert "These lines cannot tell the two apart; a difference of" in found.text
    assert "Few dialogues (12)" in found.text
    sure = page(odd(runs[0], [0]), odd(runs[1], range(8, 48)))
    assert "Chance seldom makes one as large (p = 0.00" in sure.text
    same = page(odd(runs[0], [0]), odd(runs[0], [0]))
    assert "No line is right on one side alone." in same.text
    assert "None: both are systems of one run." in same.text


def test_answers_that_name_no_label(runs: tuple[Run, Run]) -> None:
    made = page(odd(runs[0], range(4), None), odd(runs[1], range(4, 8)))
    assert "A ✗ no answer" in made.text
    assert made.text.count("fear no answer") == 4  # a column of both figures and of their tables
    assert_accessible(made)


def test_lines_that_were_left_out_are_told(runs: tuple[Run, Run]) -> None:
    whole = odd(runs[1], [1])
    fewer = replace(whole, answers={name: whole.answers[name] for name in [*whole.answers][:40]})
    assert (
        "Left out of demo: 8 lines that A alone has, 0 that B alone" in page(tuned(runs[0]), fewer, intersect=True).text
    )


def test_without_captions_and_frames(tmp_path: Path) -> None:
    run = recorded(tmp_path, right_but(TEST, range(4)), tables={"keyframes": {"enabled": False}})
    made = page(tuned(run), odd(run, range(2, 9)))
    assert "B right, A wrong" in made.text
    assert "described" not in made.text
    assert made.count("img") == 0
    assert_harmless(made)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    def made(words: str, where: Path) -> Page:
        run = described(where, [replace(row, text=words, speaker=words) for row in LINES], (0, 1))
        other = replace(run, record=copy.deepcopy(run.record))
        other.record["source"] = words
        other.record["stages"]["captions"]["settings"]["model"] = words
        return page(tuned(run), odd(other, range(4, 24)))

    hostile, plain = made(HOSTILE, tmp_path / "a"), made("plain", tmp_path / "b")
    assert_harmless(hostile)
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
    assert "{{ 7 * 7 }}" in hostile.text
    assert "\u202e" not in hostile.text


def test_the_page_is_written_whole_beside_the_record(runs: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    both = pairs(tuned(runs[0]), tuned(runs[1]), "test")
    rows = differences(both[0], 1000, 0)
    monkeypatch.setattr("tasks.comparison_page.render", lambda *_: "<p>\ud800</p>")
    path = write(runs[0].layout, "a-key", both, rows, HOW)
    assert path == runs[0].layout.comparisons / "a-key.html"
    assert path.read_text() == "<p>?</p>"
