"""A small picture of what moved which label: two bars a part, drawn by matplotlib into an SVG or PNG file."""

from __future__ import annotations

from pathlib import Path

from model.atomic import replacing
from model.errors import SettingsError
from tasks.explain import Explained

_COLOURS = ("#1f5fa8", "#9a9a9a")
_STYLE = {"svg.fonttype": "none", "font.size": 9.5, "text.parse_math": False}  # a text is what it is, "$" included


def checked(path: Path) -> str:
    """The format that a file's name asks for. Raises SettingsError where it is none that is drawn."""
    form = path.suffix.lower().removeprefix(".")
    if form not in ("svg", "png"):
        raise SettingsError(f"--out {path}: a name that ends in .svg or .png is wanted")
    return form


def draw(found: Explained, path: Path) -> None:
    """Writes the file, whole or not at all, in place of one of that name. Same numbers, same bytes."""
    import matplotlib
    from matplotlib.figure import Figure

    form = checked(path)
    labels = [f"predicted: {found.predicted}", f"gold: {found.gold}"][: 1 + (found.predicted != found.gold)]
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user's own matplotlibrc says
        matplotlib.rcParams.update({**_STYLE, "svg.hashsalt": found.utterance.utterance_id})
        figure = Figure(figsize=(7, 0.45 * len(found.parts) + 1.4), layout="constrained")
        axes = figure.subplots()
        height = 0.8 / len(labels)
        for place, label in enumerate(labels):
            at = [y + (place + 0.5) * height - 0.4 for y in range(len(found.parts))]
            axes.barh(
                at, [100 * one.moved[place] for one in found.parts], height * 0.9, color=_COLOURS[place], label=label
            )
        axes.axvline(0, color="black", lw=0.8)
        axes.set_yticks(range(len(found.parts)), [_label(one.part, one.text) for one in found.parts])
        axes.invert_yaxis()
        axes.set(xlabel="percentage points that it adds", title=found.utterance.utterance_id)
        axes.legend(frameon=False, fontsize=8.5)
        with replacing(path) as temporary:
            figure.savefig(temporary, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)


def _label(part: str, text: str) -> str:
    shown = "".join(char if char.isprintable() else " " for char in text)
    return f"{part}: {shown if len(shown) <= 36 else shown[:35] + '…'}"
