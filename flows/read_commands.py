"""Commands that only read: status, rejects, logs, report, sql. They import neither prefect nor torch."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, emit, printable_lines, reader
from model.errors import DialogueError, SettingsError, WorkspaceError
from storage import files, ledger, queries
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
    app.command(epilog="Example: dialoguellm logs demo --stage captions --shard 3")(logs)
    app.command(epilog="Example: dialoguellm report demo")(report)
    app.command(epilog='Example: dialoguellm sql "select * from scores" --csv')(sql)


@reader
def status(run: RunName = None, workspace: Workspace = HERE, *, form: Format) -> None:
    """Show stages and shards of a run: what is done, what failed and why, what has been superseded.

    As a table, its scores follow: percent, with the 95 % interval of a bootstrap over dialogues.
    """
    layout = open_workspace(workspace)
    known = load(layout, run)
    latest = load(layout, known.name)
    rows = [_stage_row(item, latest) for item in plan(known)]
    emit(("stage", "key", "done", "shards", "rows", "rejects", "seconds", "state"), rows, form, title=_heading(known))
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


def logs(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    stage: Annotated[str, typer.Option(help="The stage.")],
    shard: Annotated[int, typer.Option(help="The shard's number.")] = 0,
    workspace: Workspace = HERE,
) -> None:
    """Print what is recorded of one shard: its manifest, or its failure with the traceback."""
    layout = open_workspace(workspace)
    known = load(layout, run)
    if stage not in BY_NAME or known.keys[stage] is None:
        on = ", ".join(item.name for item in known.stages())
        raise SettingsError(f"{known.run_id} has no stage {stage}: it has {on}")
    found = BY_NAME[stage]
    state, record = ledger.shard_state(layout, found.writes, known.key(found), shard)
    rows = [["state", state], *((record or {}).items())]
    trace = next((value for name, value in rows if name == "traceback"), None)
    emit(("what", "value"), [row for row in rows if row[0] != "traceback"], Format.table)
    if trace:
        typer.echo(printable_lines(trace))


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


@reader
def sql(
    query: Annotated[str | None, typer.Argument(help="One query; - reads it from standard input.")] = None,
    workspace: Workspace = HERE,
    *,
    form: Format,
) -> None:
    """Query the results, read-only. Without a query: list the tables and views."""
    layout = open_workspace(workspace)
    if query is None:
        query = (
            "SELECT table_name AS name, lower(table_type) AS kind, "
            "string_agg(column_name, ', ' ORDER BY ordinal_position) AS columns "
            "FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name) "
            "GROUP BY ALL ORDER BY kind, name"
        )
    _query(layout, sys.stdin.read() if query == "-" else query, form)


def _query(layout: Layout, query: str, form: Format, parameters: list[Any] | None = None) -> None:
    with queries.connect(layout) as connection:
        queries.fetch(layout, connection, query)
        columns, rows = queries.query(connection, query, parameters or [])
    emit(columns, rows, form)


def _scores(run: Run) -> None:
    """The scores that the warehouse has of a run, if any: status answers without one too."""
    columns = ("corpus", "split", "system", "utterances", "dialogues", "accuracy", "weighted_f1", "macro_f1")
    text = f"SELECT {', '.join(columns)} FROM score_intervals WHERE run_id = ?"
    with suppress(DialogueError), queries.connect(run.layout) as connection:
        if rows := queries.query(connection, text, [run.run_id])[1]:
            emit(columns, rows, Format.table)


def _stage_row(item: Any, latest: Run) -> list[Any]:
    reasons = item.reasons()
    first = next((entry.detail for entry in item.pending if entry.detail), "")
    state = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) + (f": {first}" if first else "")
    if item.total is None:
        state = "waits for ingest"
    elif latest.keys[item.stage.name] != item.key:
        state = f"{state or 'done'}; superseded by {latest.run_id}"
    done = None if item.total is None else item.total - len(item.pending)
    return [
        item.stage.name,
        item.key,
        done,
        item.total,
        item.rows,
        item.rejects,
        round(item.seconds, 1),
        state or "done",
    ]


def _heading(run: Run) -> str:
    attempts = ledger.attempts(run.layout, run.run_id)
    if not attempts:
        return f"{run.run_id}: never run"
    last = attempts[-1]
    text = f"{run.run_id}: attempt {last['attempt']} ({last['reason']}, {last['engine']}) {last['state']}"
    reads = len(ledger.test_reads(run.layout, run.run_id, run.keys["finetune"]))
    text += f"; test split read {'once' if reads == 1 else f'{reads} times'}" if reads else ""
    return f"{text}: {last['error'].splitlines()[0]}" if last["error"] else text
