"""The page of a grid: what it says of which cells, and that nothing in it can act."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from storage.layout import open_workspace
from tasks.ablation_page import render, write

ABOUT: dict[str, Any] = {"base": "meld", "corpus": "meld", "system": "tuned", "utterances": 1109, "dialogues": 114}


def row(cell: str, value: float, split: str = "dev", **more: Any) -> list[dict[str, Any]]:
    none = dict.fromkeys(("difference", "difference_low", "difference_high", "p", "swap_p", "detectable", "left_out"))
    own = {"cell": cell, "split": split, "value": value, "sd": None, "low": value - 0.03, "high": value + 0.03}
    own |= {"settings": {"instructions.context": 0}, "against": cell == "full", "runs": 1, "planned": 1, "paper": None}
    own |= {"paper_row": None}
    return [{**ABOUT, **none, **own, "metric": name, **more} for name in ("accuracy", "weighted_f1", "macro_f1")]


def record(**more: Any) -> dict[str, Any]:
    change = {"difference": 0.04, "difference_low": 0.01, "difference_high": 0.07, "p": 0.004, "swap_p": 0.01}
    printed = {"paper": 0.6794, "paper_row": "Table 4, w/o Context", "detectable": 0.05}
    cells = [{"base": "meld", "cell": name, "settings": {"instructions.context": 0}} for name in ("full", "no-context")]
    runs = [{"base": "meld", "cell": name, "seed": 1, "test": False, "run_id": f"{name}-1"} for name in ("full", "x")]
    return {
        "ablation": "t4",
        "source": "t4.toml",
        "against": "full",
        "paper": "Table 4",
        "cells": cells,
        "runs": [{**run, "state": "done", "error": None, "again": None} for run in runs],
        "rows": [*row("full", 0.5), *row("no-context", 0.54, **change, **printed), *row("floor:majority", 0.31)],
        "plan": [{"stage": "captions", "needed": 24, "distinct": 12}],
        "same": [],
        **more,
    }


def test_it_says_which_is_best_and_how_surely() -> None:
    page = render(record())
    assert "On dev of meld, no-context is the best of 2 cells: weighted F1 54.0. That is +4.0 from full" in page
    assert "the interval leaves out 0, and the best of many is flattered by chance" in page
    assert "Test was not read." in page
    unsure = record(rows=[*row("full", 0.5), *row("no-context", 0.54, difference=0.04, difference_low=-0.01,
                                                  difference_high=0.09)])  # fmt: skip
    assert "they cannot be told apart by these lines" in render(unsure)


def test_the_paper_stands_beside_with_what_does_not_add_up() -> None:
    page = render(record())
    assert "Beside the paper: Table 4" in page
    assert "67.94" in page
    assert "Table 4, w/o Context" in page
    assert "not read" in page
    assert "much of the 12 points is a weak run without video" in page
    assert "Beside the paper" not in render(record(paper=None))


def test_readings_failures_and_shares_are_shown() -> None:
    failed = {"base": "meld", "cell": "full", "seed": 2, "test": True, "run_id": "full-2", "state": "failed"}
    failed |= {"error": "captions: 1 of 2 shards failed", "again": "dialoguellm rerun full-2 --failed"}
    read = {"adapter_key": "k", "run_id": "full-2", "read_at": "2026-01-02T03:04:05", "why": "ablation", "shards": 3}
    page = render(record(runs=[*record()["runs"], failed]), [read, {**read, "read_at": "2026-01-02T04:00:00"}])
    assert "Test was read for 1 of 2 cells, by 1 models, 2 readings in all." in page
    assert "1 of 3 runs are not done" in page
    assert "<code>dialoguellm rerun full-2 --failed</code>" in page
    assert "24 shards are needed by all runs together, 12 of them are different ones" in page


def test_text_from_outside_is_text() -> None:
    page = render(record(ablation="<script>alert(1)</script>", source="\u202egnp.exe"))
    assert "<script" not in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page


def test_the_chart_is_one_picture_a_block_with_words_for_it() -> None:
    page = render(record())
    _, chart = page.split("<svg")
    tree = ElementTree.fromstring("<svg" + chart[: chart.index("</svg>") + 6])
    assert "a cross where the paper prints a number" in tree.attrib["aria-label"]
    assert render(record()) == page


@pytest.mark.parametrize("rows", [[], row("full", 0.5)])
def test_a_grid_of_which_little_is_done_has_a_page(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    layout = open_workspace(tmp_path / "w", create=True)
    target = write(layout, record(rows=rows, plan=[]))
    assert target.read_text().rstrip().endswith("</html>")
    assert ("No cell has been scored yet." in target.read_text()) == (not rows)
