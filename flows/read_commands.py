"""Commands that only read: status, rejects, logs, report. They import neither prefect nor torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, emit, reader, warn
from flows.watch import COLUMNS, heading, stage_row, watched
from model.errors import DialogueError, SettingsError, WorkspaceError
from storage import files, queries
from storage.layout import Layout, open_workspace
from tasks.plan import Run, load, plan
from tasks.stages import BY_NAME

RunName = Annotated[str | None, typer.Argument(help="A run's id, or a configuration's name for its last run.")]
Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")]
HERE = Path("workspace")


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command(epilog="Example: dialoguellm status demo")(status)
    app.command(epilog="Example: dialoguellm rejects demo keyframes")(rejects)
    app.command(epilog="Example: dialoguellm report demo")(report)


@reader
def status(
    run: RunName = None,
    workspace: Workspace = HERE,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew until the run ends; Ctrl-C leaves it be.")
    ] = False,
    *,
    form: Format,
) -> None:
    """Show stages and shards of a run: what is done, what failed and why, what has been superseded.

    As a table, its scores follow: percent, with the 95 % interval of a bootstrap over dialogues.
    """
    layout = open_workspace(workspace)
    known = load(layout, run)
    if watch:
        if form is not Format.table:
            raise SettingsError("--watch is for a table: leave out --csv and --json")
        watched(known)
        return
    latest = load(layout, known.name)
    rows = [stage_row(item, latest) for item in plan(known)]
    emit(COLUMNS, rows, form, title=heading(known))
    if form is Format.table:
        _scores(known)


@reader
def rejects(
    run: RunName = None,
    stage: Annotated[str | None, typer.Argument(help="Only this stage.")] = None,
    workspace: Workspace = HERE,
    *,
    form: Format,
) -> None:
    """List every rejected row of a run with its reason."""
    layout = open_workspace(workspace)
    known = load(layout, run)
    if stage is not None and stage not in BY_NAME:
        raise SettingsError(f"no stage is called {stage}: the stages are {', '.join(BY_NAME)}")
    query = "SELECT stage, utterance_id, reason, detail FROM rejected WHERE run_id = ? AND (? IS NULL OR stage = ?)"
    _query(layout, query, form, [known.run_id, stage, stage])


def report(run: RunName = None, workspace: Workspace = HERE) -> None:
    """Print where a run's report lies."""
    layout = open_workspace(workspace)
    known = load(layout, run)
    page = files.local(layout, layout.report(known.run_id) / "index.html")
    if not page.exists():
        raise WorkspaceError(
            f"{known.run_id} has no report yet: `{known.typed(f'rerun {known.run_id} --failed')}` makes what is missing"
        )
    typer.echo(page)


def _query(layout: Layout, query: str, form: Format, parameters: list[Any] | None = None) -> None:
    def ask() -> None:
        with queries.connect(layout) as connection:
            queries.fetch(layout, query)
            columns, rows = queries.query(connection, query, parameters or [])
        emit(columns, rows, form)

    queries.mended(layout, ask, warn)


def _scores(run: Run) -> None:
    """The scores that the warehouse has of a run, if any: status answers without one too."""
    columns = ("corpus", "split", "system", "utterances", "dialogues", "accuracy", "weighted_f1", "macro_f1")
    text = f"SELECT {', '.join(columns)} FROM score_intervals WHERE run_id = ?"
    with suppress(DialogueError), queries.connect(run.layout) as connection:
        if rows := queries.query(connection, text, [run.run_id])[1]:
            emit(columns, rows, Format.table)
