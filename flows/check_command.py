"""The command that looks at a run's input before anything runs: check. It imports neither prefect nor torch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from flows.output import Format, counted, emit, reader
from flows.run_commands import Config, Overrides, Workspace
from tasks.stage import Progress

if TYPE_CHECKING:
    from tasks.ingest_settings import IngestSettings

FAULTY = 3


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
    from flows.settings import read
    from storage.layout import at
    from tasks.check import LEVELS
    from tasks.check import check as checked

    values, settings, _ = read(config, overrides or ())
    others = [cast("IngestSettings", read(str(path))[1]["ingest"]) for path in against or ()]
    with _bar() as progress:
        found = checked(settings, at(workspace or Path(values.get("workspace", "workspace"))).cache, progress, others)
    shown = [item for item in found if LEVELS.index(item.level) <= LEVELS.index(level)]
    count = {name: sum(item.level == name for item in found) for name in LEVELS}
    title = f"{values['name']}: {counted(count['error'], 'error')}, {counted(count['warning'], 'warning')}"
    rows = [[item.level, item.check, item.id, item.detail] for item in shown]
    emit(("level", "check", "id", "detail"), rows, form, title=title)
    if count["error"]:
        raise typer.Exit(FAULTY)


@contextmanager
def _bar() -> Iterator[Progress]:
    """A bar on a terminal's standard error, from the first video file on; gone once they are all opened."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("", total=None, visible=False)
        yield lambda done, total, what: bars.update(task, completed=done, total=total, description=what, visible=True)
