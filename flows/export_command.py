"""The command that hands a run's instructions to other trainers. It imports neither prefect nor torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.output import Format, emit, reader
from storage.layout import open_workspace
from tasks.export import export as write
from tasks.export_forms import Form
from tasks.plan import load


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm export demo --format messages --out exported/demo")(export)


@reader
def export(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    shape: Annotated[Form, typer.Option("--format", help="Columns of the rows.")],
    out: Annotated[Path, typer.Option(help="Folder to make; it must not be there, or be empty.")],
    splits: Annotated[str, typer.Option(help="train, dev or both, separated by a comma.")] = "train,dev",
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Write a run's instructions as a data set for other trainers: Parquet files and a data card."""
    known = load(open_workspace(workspace), run)
    parts = write(known, shape, out, [name.strip() for name in splits.split(",") if name.strip()])
    rows = [(part.split, str(out / part.file), part.rows, part.bytes) for part in parts]
    emit(("split", "file", "rows", "bytes"), rows, form, title=f"{known.run_id}: {shape.value}")
