"""The command that shows a run's dialogues in a browser. It imports neither prefect nor torch."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from flows.progress import counting
from model.dialogue import SPLITS
from model.errors import SettingsError
from storage.layout import open_workspace
from tasks.plan import load


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm gallery demo")(gallery)


def gallery(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    against: Annotated[str | None, typer.Option(help="Another run: what changed between the two.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write a folder of pages instead; it must not be there.")] = None,
    split: Annotated[str | None, typer.Option(help="With --export: only this split.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 is any free one.")] = 0,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
) -> None:
    """Look at a run's dialogues: frames, descriptions, gold and predicted labels. Served to this machine alone."""
    from tasks.gallery.links import Served
    from tasks.gallery.pages import Pages
    from tasks.gallery.snapshot import Snapshot

    layout = open_workspace(workspace)
    if split is not None and export is None:
        raise SettingsError("--split goes with --export; on the pages themselves the split is a filter")
    if split not in (None, *SPLITS):
        raise SettingsError(f"--split {split}: the splits are {', '.join(SPLITS)}")
    snapshot = Snapshot(load(layout, run), load(layout, against) if against else None, split or "")
    if export is not None:
        from tasks.gallery.export import export as write

        with counting() as progress:
            count = write(snapshot, export, progress)
        return typer.echo(f"{count} pages in {export}: open {export / 'index.html'}")
    from flows.gallery_server import HOST, listen, serve

    bound, token = listen(port), secrets.token_urlsafe(24)
    address = f"http://{HOST}:{bound.getsockname()[1]}/?token={token}"
    typer.echo(f"{address}\nopens once, in one browser; Ctrl-C ends it")
    if browser:
        typer.launch(address)
    serve(Pages(snapshot, Served()), bound, token)
    return None
