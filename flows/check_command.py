"""The command that looks at a run's input before anything runs: check. It imports neither prefect nor torch."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from flows.output import Format, counted, emit, reader
from flows.run_commands import Config, Overrides, Workspace

if TYPE_CHECKING:
    from tasks.ingest_settings import IngestSettings

FAULTY = 3
COLOURS = {"error": "bold red", "warning": "yellow", "info": "dim"}


class Least(StrEnum):
    error = "error"
    warning = "warning"
    info = "info"


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm check demo --level warning")(check)


@reader
def check(
    config: Config,
    workspace: Workspace = None,
    overrides: Overrides = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(help="A configuration of another corpus: count training lines that stand in its test split."),
    ] = None,
    level: Annotated[Least, typer.Option(help="The least that is printed.")] = Least.info,
    *,
    form: Format,
) -> None:
    """List every fault of a configuration's input, before anything runs; exit code 3 where one is an error."""
    from flows.progress import counting
    from flows.settings import found_at, read
    from tasks.check import LEVELS
    from tasks.check import check as checked

    values, settings, source = read(config, overrides or ())
    layout, run = found_at(values, settings, source, workspace)
    others = [cast("IngestSettings", read(str(path))[1]["ingest"]) for path in against or ()]
    with counting() as progress:
        found = checked(settings, layout.cache, progress, others, run=run)
    shown = [item for item in found if LEVELS.index(item.level) <= LEVELS.index(level)]
    count = {name: sum(item.level == name for item in found) for name in LEVELS}
    title = f"{values['name']}: {counted(count['error'], 'error')}, {counted(count['warning'], 'warning')}"
    rows = [[item.level, item.check, item.id, item.detail] for item in shown]
    emit(("level", "check", "id", "detail"), rows, form, title=title, colours=COLOURS)
    if count["error"]:
        raise typer.Exit(FAULTY)
