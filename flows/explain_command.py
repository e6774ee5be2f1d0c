"""The command that says what moved one answer of a run's model. It imports neither prefect nor torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.output import Format, emit, printable, reader
from flows.progress import counting
from storage.layout import open_workspace
from tasks.plan import load

if TYPE_CHECKING:
    from tasks.explain import Explained, Moved

NOTE = """Each part is left out in turn. Points: how much more probable (in percentage points) the label is with the
part than without it; log-odds: the same in nats; last, the likeliest label without the part. Parts may stand in for one
another, so what each moves does not add up to what all do.
"""


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm explain demo demo/dev/0/3")(explain)


@reader
def explain(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    utterance: Annotated[str, typer.Argument(help="An utterance's id; one of test is put on record as a reading.")],
    out: Annotated[Path | None, typer.Option(help="Draw it too: a file that ends in .svg or .png.")] = None,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Say which part of a line's prompt moved the tuned model's answer: context, speakers, description, examples."""
    from tasks import explain_chart
    from tasks.explain import explain as measure
    from tasks.explain_store import keep

    if out is not None:
        explain_chart.checked(out)
    known = load(open_workspace(workspace), run)
    with counting() as progress:
        found = measure(known, utterance, progress)
    keep(known.layout, found)
    if out is not None:
        explain_chart.draw(found, out)
    if form is Format.table:
        _table(found)
    else:
        rows = [_row(found, one) for one in found.parts]
        emit(list(_row(found, None)), [list(row.values()) for row in rows], form)
        for note in found.notes:
            typer.echo(note, err=True)


def _table(found: Explained) -> None:
    line = found.utterance
    typer.echo(printable(f"{found.run_id}, {line.utterance_id}: {line.speaker}: {line.text}"))
    typer.echo(
        f"predicted {found.predicted} ({100 * found.whole[0]:.1f} %), gold {found.gold} ({100 * found.whole[1]:.1f} %)"
    )
    names = [found.predicted, found.gold][: 1 + (found.predicted != found.gold)]
    columns = ["part", "says what"]
    for name in names:
        columns += [f"points of {name}", "log-odds"]
    rows = []
    for one in found.parts:
        numbers = [(f"{100 * one.moved[at]:+.1f}", f"{one.log_odds[at]:+.2f}") for at in range(len(names))]
        rows.append([one.part, one.text, *(cell for pair in numbers for cell in pair), one.says])
    emit([*columns, "without: says"], rows, Format.table)
    typer.echo(NOTE + "".join(f"{note}\n" for note in found.notes))


def _row(found: Explained, one: Moved | None) -> dict[str, Any]:
    """One part as a flat row; of None the names alone count."""
    row: dict[str, Any] = {"run_id": found.run_id, "utterance_id": found.utterance.utterance_id}
    row |= {"part": one and one.part, "text": one and one.text}
    for at, (role, label) in enumerate((("predicted", found.predicted), ("gold", found.gold))):
        row |= {role: label, f"{role}_probability": found.whole[at], f"{role}_without": one and one.without[at]}
        row |= {f"{role}_moved": one and one.moved[at], f"{role}_log_odds": one and one.log_odds[at]}
    return row | {"says_without": one and one.says}
