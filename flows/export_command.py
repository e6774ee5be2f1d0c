"""The command that hands on what a run made: its instructions, its adapter, or the merged model. No prefect here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.output import Format, emit, reader
from flows.progress import counting
from model.errors import SettingsError
from storage.layout import open_workspace
from tasks.export import export as write
from tasks.export_forms import Form
from tasks.plan import Run, load

Stored = Literal["base", "float32", "bfloat16", "float16"]


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm export demo --format messages --out exported/demo")(export)


@reader
def export(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    shape: Annotated[Form | None, typer.Option("--format", help="The instructions: columns of the rows.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Of --format: folder to make; it must not be there, or be empty.")
    ] = None,
    splits: Annotated[str, typer.Option(help="Of --format: train, dev or both, separated by a comma.")] = "train,dev",
    adapter: Annotated[Path | None, typer.Option(help="Make this folder of the adapter, as PEFT loads it.")] = None,
    merged: Annotated[Path | None, typer.Option(help="Make this folder of base model and adapter in one.")] = None,
    dtype: Annotated[Stored, typer.Option(help="Of --merged: number format of the weights.")] = "base",
    lines: Annotated[int, typer.Option(min=1, help="Of --merged: dev lines that both models must answer alike.")] = 64,
    tolerance: Annotated[
        float, typer.Option(min=0, max=1, help="Of --merged: largest gap of a label's probability between the two.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="Of --merged: seed of the choice of the lines.")] = 0,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Write a run's instructions as a data set for other trainers, its adapter, or base and adapter merged."""
    if (shape is not None) + (adapter is not None) + (merged is not None) != 1 or (shape is None) != (out is None):
        raise SettingsError("export takes one of: --format FORM --out DIR, --adapter DIR, --merged DIR")
    known = load(open_workspace(workspace), run)
    if shape is not None and out is not None:
        parts = write(known, shape, out, [name.strip() for name in splits.split(",") if name.strip()])
        rows = [(part.split, str(out / part.file), part.rows, part.bytes) for part in parts]
        emit(("split", "file", "rows", "bytes"), rows, form, title=f"{known.run_id}: {shape.value}")
    elif adapter is not None:
        _adapter(known, adapter, form)
    elif merged is not None:
        _merged(known, merged, dtype, (lines, tolerance, seed), form)


def _adapter(run: Run, out: Path, form: Format) -> None:
    from tasks.export_model import export_adapter

    with counting() as progress:
        files = export_adapter(run, out, progress)
    rows = [(str(out / path.name), path.stat().st_size) for path in files]
    emit(("file", "bytes"), rows, form, title=f"{run.run_id}: adapter")


def _merged(run: Run, out: Path, dtype: Stored, check: tuple[int, float, int], form: Format) -> None:
    from tasks.export_model import MergeOptions, export_merged

    with counting() as progress:
        found = export_merged(run, out, MergeOptions(dtype, *check), progress)
    heads = ("folder", "lines", "same_label", "ties", "largest_gap", "tolerance", "effect")
    row = (str(out), found.utterances, found.agreeing, found.tied, found.largest_gap, found.tolerance, found.effect)
    emit(heads, [row], form, title=f"{run.run_id}: merged")
