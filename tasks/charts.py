"""The report's figures: matplotlib draws them, as SVG for a page that knows the colours and the font.

Every colour becomes one of the page's CSS colours and text stays text, so that one figure reads well in light, dark
and print. Same numbers, same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Any

from model.dialogue import TrainingStep
from tasks.confidence import Bin

# what matplotlib is told, and what the page shall see in its place
_INK, _ACCENT, _MUTED, _LINE = "#010101", "#010102", "#010103", "#010104"
_CSS = {_INK: "currentColor", _ACCENT: "var(--accent)", _MUTED: "var(--muted)", _LINE: "var(--line)"}
_WIDTH = 4.8  # inches, of every figure: letters are then equally large in all of them
_MAX_POINTS = 300  # a longer curve is drawn as the means of this many stretches
_MAX_MARKS = 60
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 9.5,
    "text.parse_math": False,  # a label is what it is, "$" included
    "text.color": _INK,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _LINE,
    "xtick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.color": _MUTED,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
}


@dataclass(slots=True)
class Drawing:
    """Axes to draw on; ``svg`` is there once the drawing is closed."""

    axes: Any
    svg: str = ""


def confusion(counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str], alt: str) -> str:
    """A heat map of ``counts[row][column]``: gold labels down, predicted ones across, shaded by share of the row."""
    slanted = 0.06 * max((len(_short(name)) for name in columns), default=0)
    with _drawing("confusion", 0.42 * len(rows) + 0.3 + slanted, alt) as drawing:
        axes = drawing.axes
        for y, line in enumerate(counts):
            for x, count in enumerate(line):
                axes.add_patch(_cell(x, y, count / (sum(line) or 1)))
                if count:
                    weight = "bold" if rows[y] == columns[x] else "normal"
                    axes.text(x, y, f"{count:,}", ha="center", va="center", weight=weight)
        axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5), ylabel="gold")
        axes.set_xticks(range(len(columns)), map(_short, columns), rotation=40, ha="left", rotation_mode="anchor")
        axes.set_yticks(range(len(rows)), map(_short, rows))
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.spines[:].set_visible(False)
    return drawing.svg


def class_f1(labels: Sequence[str], series: Mapping[str, Sequence[float]], support: Sequence[int], alt: str) -> str:
    """Bars of F1 (0 to 1) a label, one bar a series (at most two), the first in the accent colour."""
    height = 0.8 / max(1, len(series))
    with _drawing("class-f1", 0.52 * len(labels) + 0.5, alt) as drawing:
        axes = drawing.axes
        for place, (name, values) in enumerate(series.items()):
            colour, opacity = (_ACCENT, 1.0) if place == 0 else (_MUTED, 0.45)
            at = [y + (place + 0.5) * height - 0.4 for y in range(len(labels))]
            axes.barh(at, values, height * 0.86, color=colour, alpha=opacity, label=name)
            for y, value in zip(at, values, strict=True):
                axes.text(value + 0.012, y, f"{100 * value:.0f}", va="center", size=8.5)
        axes.set(xlim=(0, 1.06), ylim=(len(labels) - 0.5, -0.55), xticks=[])
        axes.set_yticks(range(len(labels)), [f"{_short(a)} ({b:,})" for a, b in zip(labels, support, strict=True)])
        axes.tick_params(length=0)
        axes.spines["bottom"].set_visible(False)
        _legend(axes)
    return drawing.svg


def reliability(bins: Sequence[Bin], alt: str) -> str:
    """Bars of the share that is right (0 to 1) by confidence, each with its number of lines and a mark at its mean
    confidence; on the dashed line the two are equal."""
    with _drawing("reliability", 3.0, alt) as drawing:
        axes = drawing.axes
        axes.plot((0, 1), (0, 1), color=_MUTED, lw=1, ls=(0, (4, 3)), label="as right as it is sure")
        for place, item in enumerate(bins):
            label = "right, with the number of lines" if place == 0 else None
            width = item.high - item.low
            middle = item.low + width / 2
            axes.bar(middle, item.accuracy, width * 0.86, color=_ACCENT, alpha=0.45, linewidth=0, label=label)
            axes.plot(item.confidence, item.accuracy, color=_ACCENT, marker="o", ms=4)
            axes.text(middle, 0.03, f"{item.count:,}", ha="center", size=8.5)
        axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.03))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.tick_params(length=0)
        _legend(axes)
    return drawing.svg


def training_curve(steps: Sequence[TrainingStep], alt: str) -> str:
    """The training loss as a line, dev loss and dev weighted F1 (its axis on the right) as points, over steps.

    Numbers that are not finite are left out.
    """
    with _drawing("training", 2.5, alt) as drawing:
        axes = drawing.axes
        axes.plot(
            *_thinned([(s.step, s.loss) for s in steps if isfinite(s.loss)]), color=_ACCENT, lw=1.4, label="training"
        )
        dev = [(s.step, s.dev_loss) for s in steps if s.dev_loss is not None and isfinite(s.dev_loss)]
        if dev:
            marker = "o" if len(dev) <= _MAX_MARKS else ""
            axes.plot(*_thinned(dev), color=_INK, lw=1, ls=(0, (4, 3)), marker=marker, ms=4, label="dev")
        axes.set(xlabel="step", ylabel="loss, nats per answer token", ylim=(0, None))
        axes.margins(x=0.02)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(axis="y", lw=0.6)
        axes.tick_params(length=0)
        axes.set_axisbelow(True)
        if f1 := [(s.step, s.dev_weighted_f1) for s in steps if s.dev_weighted_f1 is not None]:
            _f1_points(axes, f1)
        _legend(axes)
    return drawing.svg


def _f1_points(axes: Any, points: Sequence[tuple[float, float]]) -> None:
    other = axes.twinx()
    xs, ys = _thinned(points)
    other.plot(xs, ys, color=_MUTED, lw=0, marker="^", ms=4.5)
    axes.plot([], [], color=_MUTED, lw=0, marker="^", ms=4.5, label="dev weighted F1 (right)")  # for the legend
    other.set(ylim=(0, 1), yticks=[0, 0.5, 1])
    other.tick_params(length=0)
    other.spines[:].set_visible(False)


def _thinned(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """At most ``_MAX_POINTS`` points: each the mean of a stretch, the stretches equally long."""
    count = min(len(points), _MAX_POINTS)
    cuts = [index * len(points) // count for index in range(count)] + [len(points)] if count else []
    stretches = [points[a:b] for a, b in pairwise(cuts)]
    xs, ys = ([sum(p[axis] for p in part) / len(part) for part in stretches] for axis in (0, 1))
    return xs, ys


def _cell(x: int, y: int, share: float) -> Any:
    from matplotlib.patches import Rectangle

    # at most half opaque: the count on it stays readable on light and on dark paper
    return Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, facecolor=_ACCENT, alpha=0.05 + 0.45 * share, linewidth=0)


def _legend(axes: Any) -> None:
    """Above the axes, where no curve can run through it."""
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1), ncols=3, borderpad=0, handlelength=1.4, handleheight=0.9)


def _short(label: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in label)
    return shown if len(shown) <= 16 else f"{shown[:15]}…"


def whiskers(
    names: Sequence[str],
    values: Sequence[float],
    bounds: Sequence[tuple[float, float] | None],
    marks: Sequence[float | None],
    alt: str,
) -> str:
    """A dot a name (shares, 0..1), with its interval where it has one, and a cross at the mark where there is one."""
    with _drawing("whiskers", 0.34 * len(names) + 0.7, alt) as drawing:
        axes = drawing.axes
        for y, (value, ends, mark) in enumerate(zip(values, bounds, marks, strict=True)):
            if ends:
                axes.plot([100 * ends[0], 100 * ends[1]], [y, y], color=_ACCENT, lw=1.6, alpha=0.55)
            axes.plot([100 * value], [y], "o", color=_ACCENT, ms=5)
            if mark is not None:
                axes.plot([100 * mark], [y], "x", color=_MUTED, ms=6, mew=1.6)
        axes.set_yticks(range(len(names)), [name if len(name) <= 34 else f"{name[:33]}…" for name in names])
        axes.set(ylim=(len(names) - 0.5, -0.5), xlabel="weighted F1, percent")
        axes.grid(axis="x", lw=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
    return drawing.svg


def differences(
    labels: Sequence[str],
    support: Sequence[int],
    values: Sequence[float],
    bounds: Sequence[tuple[float, float] | None],
    alt: str,
) -> str:
    """Bars of differences (-1..1) from a line at 0, a label each, with their intervals where they have one."""
    with _drawing("differences", 0.36 * len(labels) + 0.6, alt) as drawing:
        axes = drawing.axes
        for y, (value, ends) in enumerate(zip(values, bounds, strict=True)):
            axes.barh(y, 100 * value, 0.62, color=_ACCENT if value >= 0 else _MUTED, alpha=0.6, linewidth=0)
            if ends:
                axes.plot([100 * ends[0], 100 * ends[1]], [y, y], color=_INK, lw=1.2)
            axes.text(1.02, y, f"{100 * value:+.1f}", transform=axes.get_yaxis_transform(), va="center", size=8.5)
        axes.axvline(0, color=_MUTED, lw=1)
        axes.set_yticks(range(len(labels)), [f"{_short(a)} ({b:,})" for a, b in zip(labels, support, strict=True)])
        axes.set(ylim=(len(labels) - 0.5, -0.5), xlabel="points of F1: left of the line B is better, right of it A")
        axes.grid(axis="x", lw=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
    return drawing.svg


@contextmanager
def _drawing(name: str, height: float, alt: str) -> Iterator[Drawing]:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": f"{name} {alt}"})
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        drawing = Drawing(figure.subplots())
        yield drawing
        buffer = io.BytesIO()
        silent = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=silent)
    drawing.svg = _for_page(buffer.getvalue(), alt)


def _for_page(svg: bytes, alt: str) -> str:
    """matplotlib's file as an element of a page: no names, fonts or style sheet that the page has not asked for."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(svg)
    _strip(root, used=svg.decode())
    root.attrib = {"class": "chart", "role": "img", "aria-label": alt, "viewBox": root.attrib["viewBox"]}
    ElementTree.indent(root, "")
    return ElementTree.tostring(root, encoding="unicode")


def _strip(element: Any, used: str) -> None:
    element.tag = element.tag.rpartition("}")[2]
    if f"#{element.get('id')}" not in used:
        element.attrib.pop("id", None)  # the same names are in every figure
    if "rotate(-0 " in element.get("transform", ""):
        del element.attrib["transform"]
    if style := element.get("style"):
        element.set("style", _page_style(style))
    for child in list(element):
        _strip(child, used)
        if child.tag == "style" or (child.tag == "g" and not len(child)):
            element.remove(child)  # a style sheet's rules would hold for the whole page
    if link := element.attrib.pop("{http://www.w3.org/1999/xlink}href", None):
        element.set("href", link)


def _page_style(style: str) -> str:
    rules = (rule.strip() for rule in style.split(";"))
    kept = "; ".join(rule for rule in rules if not rule.startswith("font-family"))
    for stand_in, colour in _CSS.items():
        kept = kept.replace(stand_in, colour)
    return kept
