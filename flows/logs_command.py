"""The command `logs`: what a run's log says, whole or of a stage, a shard or an attempt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, emit, printable_lines, reader
from model.errors import SettingsError
from storage import journal, ledger
from storage.layout import open_workspace
from tasks.plan import Run, load
from tasks.stage import Stage
from tasks.stages import BY_NAME

COLUMNS = ("at", "level", "attempt", "stage", "shard", "message")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm logs demo --stage captions --shard 3")(logs)


@reader
def logs(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    stage: Annotated[str | None, typer.Option(help="Only this stage.")] = None,
    shard: Annotated[int | None, typer.Option(help="Only this shard, with what is recorded of it.")] = None,
    attempt: Annotated[int | None, typer.Option(help="Only this attempt.")] = None,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Print a run's log: when each shard began, what it warned of, how it ended.

    Of one shard its manifest comes first, or its failure with the traceback. --json prints the lines with all their
    fields; they lie in logs/RUN.jsonl of the workspace.
    """
    known = load(open_workspace(workspace), run)
    found = None if stage is None else _stage(known, stage)
    if found is None and shard is not None:
        raise SettingsError("--shard is a shard of a stage: name it with --stage")
    if found and form is Format.table and (shard is not None or found.unit):
        _record(known, found, shard or 0)
    lines = list(journal.lines(known.layout, known.run_id, stage=stage, shard=shard, attempt=attempt))
    columns = tuple(dict.fromkeys(name for line in lines for name in line)) if form is Format.json else COLUMNS
    emit(columns, [[line.get(name) for name in columns] for line in lines], form)


def _stage(run: Run, name: str) -> Stage:
    if name not in BY_NAME or run.keys[name] is None:
        on = ", ".join(item.name for item in run.stages())
        raise SettingsError(f"{run.run_id} has no stage {name}: it has {on}")
    return BY_NAME[name]


def _record(run: Run, stage: Stage, shard: int) -> None:
    state, record = ledger.shard_state(run.layout, stage.writes, run.key(stage), shard)
    rows: list[list[Any]] = [["state", state], *([name, value] for name, value in (record or {}).items())]
    trace = next((value for name, value in rows if name == "traceback"), None)
    emit(("what", "value"), [row for row in rows if row[0] != "traceback"], Format.table)
    if trace:
        typer.echo(printable_lines(str(trace)))
