"""The command that runs a grid, plans it, or shows what it found; the last two import neither prefect nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.output import Format, counted, emit, reader
from flows.parameters import GridRequest, checked
from flows.run_commands import Direct, Overrides, Workspace, quiet_prefect
from model.errors import DialogueError, SettingsError
from storage import ablations
from storage.layout import open_workspace
from storage.ledger import Record

NOTE = """Percent, ± the deviation over seeds, [the 95 % interval over dialogues]. change: of weighted F1 from the cell
compared with, on the same lines, seed against seed, with its interval; p and swap_p as in compare; detectable: the
smallest change that 80 % of such samples would show. The best of many cells on dev is flattered by chance, and no p is
corrected for how many there are. paper: weighted F1 as printed, on test. Macro F1: --csv, --json and the page.
"""
HELP = "Path of a grid's TOML file, or the name of a shipped one; with --show a grid's name is enough."


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm ablation demo-grid --plan")(ablation)


@reader
def ablation(
    config: Annotated[str, typer.Argument(help=HELP)],
    workspace: Workspace = None,
    only: Annotated[list[str] | None, typer.Option(help="Cells, by name or pattern: meld, 'context-*'.")] = None,
    test: Annotated[
        str | None,
        typer.Option(help="Then read test: for 'chosen' (best on dev, and the one compared with), 'all', or cells."),
    ] = None,
    overrides: Overrides = None,
    direct: Direct = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Begin without looking at the input first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Begin a grid of more than 200 runs.")] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show what the runs share and what is to do, do nothing.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Show what was found so far, do nothing.")] = False,
    *,
    form: Format,
) -> None:
    """Run a grid of configurations as one: what its runs share is done once, and dev alone is scored.

    Does only what is pending, so the same command resumes it. A run that fails does not stop the others.
    """
    if plan and show:
        raise SettingsError("choose one of --plan and --show")
    if show:
        return _shown(config, workspace, form)
    from flows.ablation_runs import Wanted
    from flows.grid import read_grid

    if plan:
        return show_plan(config, workspace, overrides or (), form, only=only or (), yes=yes)
    grid = read_grid(config, overrides or (), yes=yes)
    wanted = Wanted(config, tuple(only or ()), test, yes=yes, check=not no_check, overrides=tuple(overrides or ()))
    return start(grid, wanted, workspace, direct=direct, form=form)


def start(
    grid: Any,
    wanted: Any,
    workspace: Path | None,
    *,
    direct: bool,
    form: Format,
    seeds: Sequence[int] = (),
) -> None:
    """Runs a grid and prints what it found. Raises RunFailed where a run of it failed."""
    from flows.ablation_runs import run_grid

    root = workspace or Path(grid.workspace)
    _note_same(grid)
    try:
        if direct:
            finished = run_grid(grid, root, wanted, _directly, lambda text: typer.echo(text, err=True))
            finished.stop()
        else:
            quiet_prefect()
            from flows.ablation import ablation as flow

            flow(
                checked(
                    GridRequest,
                    config=wanted.config,
                    workspace=str(root),
                    overrides=[*wanted.overrides],
                    only=[*wanted.only],
                    test=(not seeds and wanted.test) or "",
                    seeds=[*seeds],
                    yes=wanted.yes,
                    check=wanted.check,
                )
            )
    finally:
        with suppress(DialogueError):  # whatever stopped it says more
            _shown(grid.name, root, form)


def show_plan(
    config: str,
    workspace: Path | None,
    overrides: Sequence[str],
    form: Format,
    *,
    only: Sequence[str] = (),
    yes: bool = False,
) -> None:
    """Prints, stage by stage, what the runs of a grid need in all, how much of it is the same, and what is done."""
    from flows.ablation_runs import chosen, resolved
    from flows.grid import read_grid
    from tasks.ablation_plan import sharing

    grid = read_grid(config, overrides, yes=yes)
    members = grid.members(chosen(grid, only))
    runs, lost = resolved(members, workspace or Path(grid.workspace))
    found = sharing(runs)
    rows = [
        [one.stage, one.runs, one.keys, *(_counts(one) if one.waiting < one.runs else [None] * 5), one.waiting or ""]
        for one in found
    ]
    needed, distinct = sum(one.needed for one in found), sum(one.distinct for one in found)
    pending = sum(one.pending for one in found)
    title = f"{grid.name}: {counted(len(runs), 'run')}, {counted(needed, 'shard')}, {needed - distinct} of them shared"
    title += f", {distinct - pending} done, {pending} to do"
    waiting = max((one.waiting for one in found), default=0)
    title += f"; {counted(waiting, 'run')} more when ingest has cut its shards" if waiting else ""
    columns = ("stage", "runs", "keys", "needed", "distinct", "shared", "done", "to_do", "runs_waiting_for_ingest")
    emit(columns, rows, form, title=title)
    _note_same(grid)
    for text in dict.fromkeys(str(error) for _, error in lost):
        names = [member.name for member, error in lost if str(error) == text]
        typer.echo(f"{counted(len(names), 'run')} cannot be planned ({names[0]} …): {text}", err=True)
    if lost:
        raise typer.Exit(1)


def _counts(one: Any) -> list[int]:
    return [one.needed, one.distinct, one.shared, one.done, one.pending]


def _note_same(grid: Any) -> None:
    for one, other in grid.same:
        typer.echo(f"{one} is left out: nothing that it sets plays a part, it is the same run as {other}", err=True)


def _directly(member: Any, run: Any, reason: str) -> int:  # noqa: ARG001
    from flows.direct import execute
    from tasks.drive import Selection, drive

    return drive(run, Selection(reason=reason), execute, engine="direct").shards


def _shown(config: str, workspace: Path | None, form: Format) -> None:
    from flows.grid import is_grid, read_grid

    name, root = config, workspace or Path("workspace")
    if is_grid(config) and (Path(config).is_file() or not ablations.find(open_workspace(root), config)):
        grid = read_grid(config, yes=True)
        name, root = grid.name, workspace or Path(grid.workspace)
    layout = open_workspace(root)
    _table(ablations.load(layout, name), layout.ablation(name) / "index.html", form)


def _table(record: Record, page: Path, form: Format) -> None:
    if form is not Format.table:
        columns = list(dict.fromkeys(name for row in record["rows"] for name in row)) or ["base", "cell"]
        return emit(columns, [[row.get(name) for name in columns] for row in record["rows"]], form)
    runs = record["runs"]
    count = {state: sum(run["state"] == state for run in runs) for state in ("done", "failed", "pending")}
    told = ", ".join(f"{number} {state}" for state, number in count.items() if number or state == "done")
    title = f"{record['ablation']}: {counted(len(runs), 'run')}, {told}; compared with {record['against']}"
    shown = [name for name in ("base", "corpus") if len({row[name] for row in record["rows"]}) > 1]
    emit(*_written(record["rows"], shown), form, title=title)
    typer.echo(NOTE)
    for run in runs:
        if run["state"] == "failed":
            typer.echo(
                f"failed: {run['base']}/{run['cell']}: {str(run['error']).splitlines()[0]}\n  again: {run['again']}"
            )
    for name, error in record.get("unread", {}).items():
        typer.echo(f"{name} cannot be read: {error}")
    if page.exists():
        typer.echo(f"  page  {page}")
    return None


def _written(rows: Sequence[Record], shown: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """One row a cell, corpus and split; best first, within its base, corpus and split."""
    cells: dict[tuple[str, ...], dict[str, Record]] = {}
    for row in rows:
        cells.setdefault((row["base"], row["corpus"], row["split"], row["cell"]), {})[row["metric"]] = row
    order = list(dict.fromkeys(key[:3] for key in cells))
    ranked = sorted(cells.items(), key=lambda item: (order.index(item[0][:3]), -item[1]["weighted_f1"]["value"]))
    columns = [*shown, "split", "cell", "seeds", "accuracy", "weighted_f1", "change", "p", "swap_p"]
    columns += ["detectable", "paper"]
    found = []
    for _, of in ranked:
        row = of["weighted_f1"]
        line = [*(row[name] for name in shown), row["split"], row["cell"], f"{row['runs']}/{row['planned']}"]
        line += [_score(of[name]) for name in ("accuracy", "weighted_f1")]
        line += [_change(row), _p(row["p"]), _p(row["swap_p"]), _percent(row["detectable"]), _percent(row["paper"])]
        found.append(line)
    if all(row["paper"] is None for row in rows):
        columns.pop()
        found = [line[:-1] for line in found]
    return columns, found


def _score(row: Record) -> str:
    text = f"{100 * row['value']:.1f}" + ("" if row["sd"] is None else f" ± {100 * row['sd']:.1f}")
    return text + ("" if row["low"] is None else f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]")


def _change(row: Record) -> str:
    if row["difference"] is None:
        return "compared with" if row["against"] else ""
    low, high = row["difference_low"], row["difference_high"]
    return f"{100 * row['difference']:+.1f}" + ("" if low is None else f" [{100 * low:+.1f}, {100 * high:+.1f}]")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"
