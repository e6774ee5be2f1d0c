"""The flow that runs a grid: each of its runs is a pipeline run of its own, and what they share is done once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.ablation_runs import Finished, Wanted, run_grid
from flows.grid import of_seeds, read_grid
from flows.pipeline import pipeline
from tasks.grid import Member
from tasks.plan import Run


@flow(name="dialoguellm-ablation", flow_run_name="{config}", persist_result=False)
def ablation(
    config: str,
    workspace: str | None = None,
    overrides: list[str] | None = None,
    only: list[str] | None = None,
    test: str | None = None,
    seeds: list[int] | None = None,
    yes: bool = False,
    check: bool = True,
) -> dict[str, int]:
    """Runs a grid, doing only what is pending; returns how many shards were done and how many runs failed (none).

    Args:
        config: path of a grid's TOML file, or the name of a shipped one; with seeds a configuration.
        workspace: folder of the workspace; the grid's own by default.
        overrides: single settings as KEY=VALUE that hold for every cell.
        only: patterns of cells; all by default.
        test: whose test split is read afterwards: "chosen", "all" or cells separated by commas; none by default.
        seeds: seeds of training of one configuration; each reads the test split, as a run does.
        yes: begin a large grid.
        check: look at the input before ingest.
    """
    wanted = Wanted(config, tuple(only or ()), test, yes=yes, check=check, overrides=tuple(overrides or ()))
    finished = start(config, wanted, workspace, overrides, seeds)
    return {"shards": finished.shards, "failed": 0}


def start(
    config: str,
    wanted: Wanted,
    workspace: str | None,
    overrides: list[str] | None,
    seeds: list[int] | None,
) -> Finished:
    """The same for the flow. Raises RunFailed where a run failed, after an artifact that says which."""
    grid = of_seeds(config, seeds, overrides or ()) if seeds else read_grid(config, overrides or (), yes=wanted.yes)
    if seeds:
        wanted = replace(wanted, test="all", dev=False)
    finished = run_grid(grid, Path(workspace or grid.workspace), wanted, _as_subflow, get_run_logger().info)
    if finished.failed:
        text = finished.message().replace("```", "'''")
        create_markdown_artifact(
            markdown=f"```\n{text}\n```", key="failure", description=f"which runs of {grid.name} failed"
        )
    finished.stop()
    return finished


def _as_subflow(member: Member, run: Run, reason: str) -> int:
    named = pipeline.with_options(flow_run_name=member.name)
    arguments = (member.cell.base.config, str(run.layout.root), list(member.overrides), None)
    return sum(named(*arguments, check=False, reason=reason).values())
