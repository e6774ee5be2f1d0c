"""Commands that do or plan work: run, plan, rerun, reap, warehouse rebuild."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from flows.output import Format, counted, emit, reader
from flows.parameters import ALL, PipelineRequest, RerunRequest, checked
from flows.server_keys import block_of
from model.errors import SettingsError, WorkspaceLocked
from storage import ledger
from storage.layout import open_workspace
from storage.locks import holding
from tasks import caption_cost
from tasks.drive import Outcome, Selection, planned
from tasks.plan import Run, StagePlan, load, load_current
from tasks.publish import publish, rebuild
from tasks.stages import BY_NAME, STAGES

DEFAULT_WORKSPACE = Path("workspace")

Config = Annotated[str, typer.Argument(help="Path of a TOML configuration, or demo, meld, emorynlp, iemocap or joint.")]
Workspace = Annotated[Path | None, typer.Option("--workspace", "-w", help="Folder of the workspace.")]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, for example captions.prompt=facial-cues.")
]
Direct = Annotated[bool, typer.Option("--direct", help="Run the shards in this process, without Prefect.")]


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    app.command(epilog="Example: dialoguellm run demo --until captions")(run)
    app.command(name="plan", epilog="Example: dialoguellm plan demo --set captions.prompt=facial-cues")(plan_command)
    app.command(epilog="Example: dialoguellm rerun demo --stage captions --downstream --dry-run")(rerun)
    app.command(epilog="Example: dialoguellm reap")(reap)
    warehouse = typer.Typer(help="The DuckDB file of results.", no_args_is_help=True)
    warehouse.command(name="rebuild", epilog="Example: dialoguellm warehouse rebuild")(warehouse_rebuild)
    app.add_typer(warehouse, name="warehouse")


def run(
    config: Config,
    workspace: Workspace = None,
    from_stage: Annotated[str | None, typer.Option("--from", help="First stage to run.")] = None,
    until: Annotated[str | None, typer.Option(help="Last stage to run.")] = None,
    stages: Annotated[str | None, typer.Option(help="Only these stages, separated by commas.")] = None,
    overrides: Overrides = None,
    direct: Direct = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Begin without looking at the input first.")] = False,
    seeds: Annotated[str | None, typer.Option(help="Train with each of these seeds, for example 1,2,3.")] = None,
) -> None:
    """Run a configuration; does only what is pending, so the same command resumes it.

    Before ingest the input is looked at as by check; exit code 3 where the run could not succeed.
    """
    from flows.guard import guard
    from flows.settings import prepare, read
    from tasks.lend import lends

    chosen = _choose(from_stage, until, stages)
    if seeds is not None:
        return _with_seeds(config, workspace, overrides or (), seeds, chosen, direct=direct, check=not no_check)
    settings = read(config, overrides or ())[1]
    if lends(settings["finetune"]):
        return _lend(prepare(config, workspace=workspace, overrides=overrides or (), create=False))
    keys_are_blocks = any(map(block_of, settings.values())) and not direct
    if not no_check and not keys_are_blocks and (lesser := guard(config, workspace, overrides or (), chosen)):
        typer.echo(lesser, err=True)
    prepared = prepare(config, workspace=workspace, overrides=overrides or ())
    if direct:
        outcome = _direct(prepared, Selection(chosen))
    else:
        quiet_prefect()
        from flows.pipeline import pipeline

        request = checked(
            PipelineRequest,
            config=config,
            workspace=prepared.layout.name,
            overrides=list(overrides or ()),
            stages=list(chosen or ()),
            check=keys_are_blocks and not no_check,  # else it was done above, before a server was started
        )
        outcome = Outcome(pipeline(request))
    return _summary(prepared, outcome)


def _with_seeds(
    config: str,
    workspace: Path | None,
    overrides: Sequence[str],
    seeds: str,
    stages: tuple[str, ...] | None,
    *,
    direct: bool,
    check: bool,
) -> None:
    """A grid of one cell: nothing is chosen, so that test is read at once, as by any run."""
    from flows.ablation_command import start
    from flows.ablation_runs import Wanted
    from flows.grid import of_seeds

    if stages:
        raise SettingsError("--seeds runs whole pipelines: leave out --from, --until and --stages")
    numbers = _numbers(seeds, "--seeds")
    wanted = Wanted(config, test="all", dev=False, check=check, overrides=tuple(overrides))
    start(of_seeds(config, numbers, overrides), wanted, workspace, direct=direct, form=Format.table, seeds=numbers)


@reader
def plan_command(config: Config, workspace: Workspace = None, overrides: Overrides = None, *, form: Format) -> None:
    """Show what a run of a configuration, or of a grid of them, would do, and why; changes nothing."""
    from flows.grid import is_grid
    from flows.settings import prepare

    if is_grid(config):
        from flows.ablation_command import show_plan

        return show_plan(config, workspace, overrides or (), form)
    prepared = prepare(config, workspace=workspace, overrides=overrides or (), create=False)
    return _print_plan(prepared, planned(prepared, Selection()), form)


@reader
def rerun(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    failed: Annotated[bool, typer.Option("--failed", help="Everything of the run that is pending.")] = False,
    stage: Annotated[str | None, typer.Option(help="Only what is pending of this stage.")] = None,
    only: Annotated[bool, typer.Option("--only", help="Of --stage: this stage alone (the default).")] = False,
    downstream: Annotated[bool, typer.Option("--downstream", help="Of --stage: and all stages after it.")] = False,
    shards: Annotated[str | None, typer.Option(help="Only these shards, for example 3,17.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Do finished shards again too.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, do nothing.")] = False,
    direct: Direct = False,
    workspace: Workspace = None,
    *,
    form: Format,
) -> None:
    """Take up a recorded run again: its failed or missing shards, or a stage of it."""
    from tasks.lend import lends

    if (stage is None) == (not failed) or (only and downstream):
        raise SettingsError("rerun takes either --failed or --stage STAGE, and --only or --downstream, not both")
    known = load_current(open_workspace(workspace or DEFAULT_WORKSPACE), run)
    part = {
        "stage": ALL if stage is None else stage,
        "downstream": downstream,
        "shards": _numbers(shards),
        "force": force,
    }
    request = checked(RerunRequest, run=run, workspace=known.layout.name, **part)
    selection = request.selection()
    if dry_run:
        _print_plan(known, planned(known, selection), form)
    elif lends(known.settings["finetune"]):
        _lend(known)
    elif direct:
        _summary(known, _direct(known, selection))
    else:
        quiet_prefect()
        from flows.pipeline import rerun as flow

        _summary(known, Outcome(flow(request)))


def reap(workspace: Workspace = None) -> None:
    """Mark attempts whose process is gone as crashed, and their flow runs on the Prefect server that is configured."""
    layout = open_workspace(workspace or DEFAULT_WORKSPACE)
    total, crashed = 0, []
    for record in ledger.runs(layout):
        dead = 0
        with suppress(WorkspaceLocked), holding(layout, record["name"]):
            dead = ledger.mark_crashed(layout, record["run_id"])
            crashed += [item for item in ledger.attempts(layout, record["run_id"]) if item["state"] == "crashed"]
        if dead:
            publish(load(layout, record["run_id"]))
        total += dead
    typer.echo(f"{counted(total, 'attempt')} marked as crashed")
    if any(item.get("flow_run") for item in crashed):
        quiet_prefect()
        from flows.zombies import bury

        typer.echo(bury(crashed))


def warehouse_rebuild(workspace: Workspace = None) -> None:
    """Make results.duckdb again from the lake and the records of the runs."""
    layout = open_workspace(workspace or DEFAULT_WORKSPACE)
    typer.echo(f"{rebuild(layout)} runs in {layout.database}")


def _lend(run: Run) -> None:
    """A host that has not the run computes for the one that trains."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else a lost connection is told with C++ frames first
    from tasks.lend import lend

    typer.echo(lend(run, lambda text: typer.echo(text, err=True)))


def _direct(run: Run, selection: Selection) -> Outcome:
    from flows.direct import execute
    from tasks.drive import drive

    return drive(run, selection, execute, engine="direct")


def quiet_prefect() -> None:
    """Prefect reads its settings from the environment when it is imported; a person's own choices stay.

    Its ephemeral server needs longer to start than its default time-out allows, and its log lines would tear
    the progress bars apart (they still reach its server and UI).
    """
    for name, value in (
        ("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120"),
        ("PREFECT_SERVER_ANALYTICS_ENABLED", "false"),
        ("DO_NOT_TRACK", "1"),
        ("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL"),
        ("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", ""),
    ):
        if value:
            os.environ.setdefault(name, value)


def _choose(first: str | None, last: str | None, listed: str | None) -> tuple[str, ...] | None:
    names = [stage.name for stage in STAGES]
    chosen = [name.strip() for name in listed.split(",")] if listed else []
    unknown = [name for name in (*chosen, first, last) if name is not None and name not in BY_NAME]
    if unknown:
        raise SettingsError(f"no stage is called {', '.join(unknown)}: the stages are {', '.join(names)}")
    if listed and (first or last):
        raise SettingsError("--stages cannot be combined with --from or --until")
    if listed:
        return tuple(chosen)
    if not first and not last:
        return None
    start = names.index(first) if first else 0
    end = names.index(last) + 1 if last else len(names)
    if start >= end:
        raise SettingsError(f"--from {first} comes after --until {last}: the order is {', '.join(names)}")
    return tuple(names[start:end])


def _numbers(text: str | None, option: str = "--shards") -> list[int]:
    if text is None:
        return []
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise SettingsError(f"{option} {text}: write numbers separated by commas, for example 3,17") from None


def _print_plan(run: Run, plans: list[StagePlan], form: Format) -> None:
    rows = []
    for item in plans:
        reasons = ", ".join(f"{count} {reason}" for reason, count in item.reasons().items())
        detail = next((entry.detail for entry in item.pending if entry.detail), "")
        waiting = item.total is None
        done = None if waiting else (item.total or 0) - sum(entry.reason != "forced" for entry in item.pending)
        pending = None if waiting else len(item.pending)
        rows.append([item.stage.name, item.key, item.total, done, pending, "all" if waiting else reasons, detail])
    total = sum(len(item.pending) for item in plans if item.total is not None)
    unknown = " (and those that ingest will cut)" if any(item.total is None for item in plans) else ""
    title = f"{run.run_id}: {counted(total, 'shard')} to do{unknown}"
    emit(("stage", "key", "shards", "done", "pending", "reason", "detail"), rows, form, title=title)
    if form is Format.table:
        for line in filter(None, (caption_cost.line(run, item) for item in plans)):
            typer.echo(line)


def _summary(run: Run, outcome: Outcome) -> None:
    lines = [f"{run.run_id}: {counted(outcome.shards, 'shard')} done"]
    report = run.layout.report(run.run_id) / "index.html"
    if report.exists():
        lines.append(f"  report     {report}")
    stage = "captions" if run.keys["captions"] else "instructions"
    lines += [
        f"  database   {run.layout.database}",
        "  next       " + run.typed('sql "select * from scores"'),
        "             " + run.typed(f"status {run.run_id}"),
        "             " + run.typed(f"rejects {run.run_id}"),
        "             " + run.typed(f"rerun {run.run_id} --stage {stage} --downstream --dry-run"),
    ]
    typer.echo("\n".join(lines))
