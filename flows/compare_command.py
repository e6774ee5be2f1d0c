"""The command that sets two systems side by side. It imports neither prefect nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, counted, emit, reader
from model.errors import SettingsError
from storage import findings, warehouse
from storage.layout import Layout, open_workspace
from tasks.compare import Difference, Flips, differences, flips, pairs, record
from tasks.page import p_value
from tasks.plan import load
from tasks.systems import Said, Systems

HELP = "A run's id, or a configuration's name for its last run; :system names one of its systems (demo:tfidf_lr)."
COLUMNS = (
    *("second", "corpus", "lines", "dialogues", "score", "of_first", "of_second", "difference", "p", "swap_p"),
    "mcnemar_p",
    "detectable",
)
NOTE = """Percent. difference: first less second, with its 95 % interval; p: two-sided; both of a paired bootstrap over
dialogues, too sure of few of them. swap_p: of swapping whole dialogues, right for few too. mcnemar_p: exact, takes
lines for independent. detectable: the smallest difference that 80 % of such samples would show at the 5 % level, 2.80
standard deviations of the resampled differences. No p is corrected for how many there are.
"""


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm compare demo:tuned demo:tfidf_lr")(compare)


@reader
def compare(
    first: Annotated[str, typer.Argument(help=HELP)],
    second: Annotated[str | None, typer.Argument(help="The same; default: every other system of the first.")] = None,
    split: Annotated[str, typer.Option(help="test or dev.")] = "test",
    resamples: Annotated[int, typer.Option(min=1_000, max=1_000_000, help="How often dialogues are drawn.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of these draws.")] = 0,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    intersect: Annotated[bool, typer.Option("--intersect", help="Leave out lines that one side alone has.")] = False,
    only_flips: Annotated[bool, typer.Option("--flips", help="Only who was right, by gold label.")] = False,
    page: Annotated[bool, typer.Option("--page", help="Write one HTML page of it as well, and say where.")] = False,
    form: Format,
) -> None:
    """Say whether two systems differ on the same lines, how surely, and what flipped; the result is kept.

    Refuses systems that did not predict the same lines, or not with the same labels.
    """
    from tasks.comparison_page import write

    layout = open_workspace(workspace)
    found: list[Difference] = []
    flipped: list[Flips] = []
    written: list[Path] = []
    for one, other in _sides(layout, first, second, split):
        both = pairs(one, other, split, intersect=intersect)
        rows = [row for pair in both for row in differences(pair, resamples, seed)]
        made = record(rows, resamples, seed)
        findings.save_comparison(layout, made["comparison"], made["rows"])
        found += rows
        if page:
            written.append(write(layout, made["comparison"], both, rows, {"resamples": resamples, "seed": seed}))
        flipped += [row for pair in both for row in flips(pair)]
    warehouse.publish(layout, [])
    if not only_flips:
        _show_differences(found, form)
    if only_flips or form is Format.table:
        emit(*_table(flipped), form)
    for path in written:
        typer.echo(path, err=form is not Format.table)  # what programs read stays theirs


def _sides(layout: Layout, first: str, second: str | None, split: str) -> list[tuple[Said, Said]]:
    if split not in ("test", "dev"):
        raise SettingsError(f"--split {split}: it takes test or dev")
    run, _, system = first.partition(":")
    systems = Systems(load(layout, run), split)
    one = systems.said(system or None)
    if second is not None:
        other, _, system = second.partition(":")
        others = [Systems(load(layout, other), split).said(system or None)]
    else:
        others = [systems.said(name) for name in systems.names() if name != one.system]
    if any(other.name == one.name for other in others):
        raise SettingsError(f"{one.name} is both sides: name another system, such as {run}:untuned")
    return [(one, other) for other in others]


def _show_differences(found: Sequence[Difference], form: Format) -> None:
    if form is not Format.table:
        return emit(*_table(found), form)
    left_out = sum(row.first_only + row.second_only for row in found if row.metric == "accuracy")
    title = f"first: {found[0].first}, on {found[0].split}"
    rows = [_written(row) for row in found]
    emit(COLUMNS, rows, form, title=title + (f"; left out: {counted(left_out, 'line')}" if left_out else ""))
    return typer.echo(NOTE)


def _written(row: Difference) -> list[Any]:
    bounds = "" if row.low is None or row.high is None else f" [{100 * row.low:+.1f}, {100 * row.high:+.1f}]"
    return [
        *(row.second, row.corpus, row.utterances, row.dialogues, row.metric),
        *(_percent(row.first_value), _percent(row.second_value), f"{100 * row.difference:+.1f}{bounds}"),
        *(p_value(row.p), p_value(row.swap_p), p_value(row.mcnemar_p), _percent(row.detectable)),
    ]


def _table(rows: Sequence[Difference | Flips]) -> tuple[list[str], list[list[Any]]]:
    found = [asdict(row) for row in rows]
    return list(found[0]), [list(row.values()) for row in found]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
