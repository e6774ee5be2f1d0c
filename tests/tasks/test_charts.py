"""Figures are SVG that a page can take in: text as text, its own colours, no foreign names, nothing to load."""

from __future__ import annotations

import dataclasses
import math
from functools import cache
from xml.etree import ElementTree

import pytest

from model.dialogue import TrainingStep
from tasks.charts import class_f1, confusion, differences, reliability, training_curve
from tasks.confidence import Bin

LABELS = ["neutral", "joy", "anger"]


def steps(count: int) -> list[TrainingStep]:
    return [
        TrainingStep(n, n / count, 2 / n, 1e-3, 1.0, 10, 0.1, 1.0 if n % 10 == 0 else None) for n in range(1, count + 1)
    ]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter("text")]


DRAW = {
    "confusion": lambda: confusion([[3, 1, 0], [0, 1234, 0], [0, 0, 0]], LABELS, LABELS, "a matrix"),
    "class_f1": lambda: class_f1(LABELS, {"tuned": [0.5, 0.25, 0.0], "floor": [0.1, 0.2, 0.3]}, [3, 4, 5], "bars"),
    "reliability": lambda: reliability([Bin(0.2, 0.3, 7, 0.25, 0.5), Bin(0.9, 1.0, 1234, 0.95, 0.9)], "bars"),
    "differences": lambda: differences(LABELS, [3, 4, 5], [0.5, -0.25, 0.0], [(0.1, 0.9), (-0.5, 0.1), None], "bars"),
    "training": lambda: training_curve(steps(30), "a curve"),
}


@cache
def figure(name: str) -> str:
    return DRAW[name]()


@pytest.mark.parametrize("name", DRAW)
def test_a_figure_fits_into_any_page(name: str) -> None:
    svg = figure(name)
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label")
    assert "width" not in root.attrib  # the page decides
    for foreign in ("http", "font-family", "<style", "#0101", "<image"):
        assert foreign not in svg
    assert "var(--accent)" in svg


def test_the_same_numbers_make_the_same_bytes() -> None:
    assert training_curve(steps(30), "a curve") == figure("training")


def test_all_figures_name_different_things() -> None:
    names = [element.get("id") for name in DRAW for element in ElementTree.fromstring(figure(name)).iter()]
    named = [name for name in names if name]
    assert len(named) == len(set(named))


def test_counts_and_labels_are_text() -> None:
    found = texts(figure("confusion"))
    assert {"3", "1", "1,234", "joy", "gold"} <= set(found)
    assert "0" not in found
    assert {"7", "1,234", "confidence"} <= set(texts(figure("reliability")))
    assert {"50", "25", "30", "joy (4)", "tuned", "floor"} <= set(texts(figure("class_f1")))


def test_the_darkest_cell_is_the_largest_share_of_its_row() -> None:
    svg = confusion([[1, 1], [0, 1000]], ["a", "b"], ["a", "b"], "alt")
    shades = [
        float(element.get("style", "").rpartition("opacity: ")[2])
        for element in ElementTree.fromstring(svg).iter("path")
        if "opacity" in element.get("style", "")
    ]
    assert shades == pytest.approx([0.275, 0.275, 0.05, 0.5])


def test_labels_are_never_markup_nor_formulas() -> None:
    strange = ["$x^2_$", "<b>&amp;", "a\x00b\ud800", "x" * 99]
    found = texts(confusion([[1] * 4] * 4, strange, strange, "alt"))
    assert {"$x^2_$", "<b>&amp;", "a b ", "x" * 15 + "…"} <= set(found)


def test_a_long_training_is_drawn_with_few_points() -> None:
    assert len(training_curve(steps(5000), "alt")) < 2 * len(training_curve(steps(300), "alt"))


@pytest.mark.parametrize("losses", [[], [math.nan, math.inf], [math.nan, 1.0, 0.5]])
def test_a_curve_of_few_or_no_numbers(losses: list[float]) -> None:
    log = [TrainingStep(n, 1.0, loss, 1e-3, 1.0, 10, 0.1, loss) for n, loss in enumerate(losses, 1)]
    svg = training_curve(log, "alt")
    assert "nan" not in svg.lower()
    assert "training" in texts(svg)


def test_the_weighted_f1_of_the_dev_rows_has_an_axis_of_its_own() -> None:
    log = [TrainingStep(n, 1.0, 5.0, 1e-3, 1.0, 10, 0.1, 4.0, 0.25 * n) for n in range(1, 4)]
    found = texts(training_curve(log, "alt"))
    assert "dev weighted F1 (right)" in found
    assert {"0.5", "1.0"} <= {*found}
    without = texts(training_curve([dataclasses.replace(step, dev_weighted_f1=None) for step in log], "alt"))
    assert "dev weighted F1 (right)" not in without


def test_differences_go_both_ways_from_a_line() -> None:
    svg = figure("differences")
    assert {"+50.0", "-25.0", "+0.0", "neutral (3)", "joy (4)"} <= {*texts(svg)}
