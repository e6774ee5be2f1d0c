"""The command that looks for damage in a workspace: fsck. It imports neither prefect nor torch."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from flows.output import Format, counted, emit, reader
from flows.read_commands import HERE, RunName, Workspace
from storage.layout import open_workspace
from tasks.plan import load

FAULTY = 3


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm fsck --repair")(fsck)


@reader
def fsck(
    run: RunName = None,
    workspace: Workspace = HERE,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set aside what is damaged, so that the next run makes it again.")
    ] = False,
    *,
    form: Format,
) -> None:
    """Read every finished file and compare it with what was written; exit code 3 where one is damaged.

    Without a run all of the workspace is read. Nothing is ever removed.
    """
    from flows.progress import counting
    from tasks import fsck as checking

    layout = open_workspace(workspace)
    known = load(layout, run) if run else None
    started, read, total = time.monotonic(), 0, checking.size(layout)
    with counting() as progress:

        def look(size: int) -> None:
            nonlocal read
            read += size
            progress(read, max(read, total), "bytes")

        found = checking.faults(layout, known, look)
    seconds = time.monotonic() - started
    place = checking.repair(layout, found) if repair and found else None
    title = f"{layout.name}: {counted(len(found), 'fault')}; {read / 1e6:.1f} MB read in {seconds:.1f} s"
    rows = [[item.kind, item.stage, item.shard, item.file, item.detail, item.todo] for item in found]
    emit(("fault", "stage", "shard", "file", "detail", "to_do"), rows, form, title=title)
    if repair and found:
        typer.echo(f"set aside in {place}" if place else "nothing had to be set aside", err=True)
        for one in checking.concerned(layout, found):
            typer.echo(f"made again by {one.typed(f'rerun {one.run_id} --failed')}", err=True)
    elif found:
        raise typer.Exit(FAULTY)
