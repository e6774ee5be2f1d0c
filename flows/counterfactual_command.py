"""The command that gives a run's model other descriptions of the video. It imports neither prefect nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, counted, emit, reader
from flows.progress import counting
from model.errors import SettingsError
from storage.layout import open_workspace
from storage.ledger import Record
from tasks.plan import load

COLUMNS = (
    *("condition", "corpus", "captions", "lines", "dialogues", "changed", "score", "value", "against", "change"),
    *("p", "swap_p", "detectable"),
)
NOTE = """Percent. change: value less that of the descriptions as they are, with its 95 % interval; p: two-sided; both
of a paired bootstrap over dialogues, too sure of few of them. swap_p: of swapping whole dialogues, right for few too.
detectable: the smallest change that 80 % of such samples would show at the 5 % level. changed: lines whose prompt is
another. captions_alone reads captions and nothing else (TF-IDF, logistic regression, learned on train); it stands
against the commonest train label. No p is corrected for how many there are.
"""


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm counterfactual demo")(counterfactual)


@reader
def counterfactual(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    split: Annotated[str, typer.Option(help="dev, or test: that is put on record as a reading of it.")] = "dev",
    resamples: Annotated[int, typer.Option(min=1_000, max=1_000_000, help="How often dialogues are drawn.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the swaps and of these draws.")] = 0,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Say whether the tuned model looks at the video: its scores with descriptions dropped, swapped and all alike.

    Beside them, how much of the labels the captions alone give away. The result is kept.
    """
    from tasks.counterfactual import Options
    from tasks.counterfactual import counterfactual as measure

    if split not in ("dev", "test"):
        raise SettingsError(f"--split {split}: it takes dev or test")
    known = load(open_workspace(workspace), run)
    with counting() as progress:
        rows = measure(known, Options(split, resamples, seed), progress)
    if not rows:
        raise SettingsError(f"{known.run_id} has no line of {split} with a prompt: name the other split")
    _show(known.run_id, rows, form)


def _show(run_id: str, rows: Sequence[Record], form: Format) -> None:
    if form is not Format.table:
        return emit(list(rows[0]), [list(row.values()) for row in rows], form)
    lines = {row["captions"]: 0 for row in rows} | dict.fromkeys(("names an emotion", "names none"), 0)
    bare = 0
    for row in rows:
        if (row["condition"], row["metric"]) == ("dropped", "accuracy"):
            lines[row["captions"]] += row["utterances"]
            bare += row["uncaptioned"]
    title = (
        f"{run_id}:tuned on {rows[0]['split']}: {counted(lines['all'], 'line')}, the caption of "
        f"{lines['names an emotion']} names an emotion, of {lines['names none']} none; {bare} without, left as they are"
    )
    shown = [row for row in rows if row["captions"] == "all" or lines[row["captions"]] < lines["all"]]
    emit(COLUMNS, [_written(row) for row in shown], form, title=title)
    return typer.echo(NOTE)


def _written(row: Record) -> list[Any]:
    bounds = "" if row["low"] is None else f" [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
    return [
        *(row[name] for name in ("condition", "corpus", "captions", "utterances", "dialogues")),
        "" if row["changed"] is None else row["changed"],
        *(row["metric"], _percent(row["value"]), _percent(row["against_value"])),
        *(f"{100 * row['change']:+.1f}{bounds}", _p(row["p"]), _p(row["swap_p"]), _percent(row["detectable"])),
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"
