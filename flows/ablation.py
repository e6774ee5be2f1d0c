"""The flow that runs a grid: each of its runs is a pipeline run of its own, and what they share is done once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from prefect import flow, get_run_logger

from flows.ablation_runs import Wanted, run_grid
from flows.failure import told
from flows.grid import of_seeds, read_grid
from flows.parameters import GridRequest, PipelineRequest
from flows.pipeline import pipeline
from flows.server_keys import block_of
from tasks.grid import Member
from tasks.plan import Run


@flow(name="dialoguellm-ablation", flow_run_name="{request.config}", persist_result=False)
def ablation(request: GridRequest) -> int:
    """Runs a grid, doing only what is pending; returns how many shards were done. A run that fails stops no other.

    Args:
        request: The grid, and which part of it.
    """
    asked = Wanted(
        request.config,
        only=tuple(request.only),
        test=request.test or None,
        yes=request.yes,
        check=request.check,
        overrides=tuple(request.overrides),
    )
    with told(Path(request.config).stem, f"dialoguellm ablation {request.config}"):
        if request.seeds:
            grid, asked = (
                of_seeds(request.config, request.seeds, request.overrides),
                replace(asked, test="all", dev=False),
            )
        else:
            grid = read_grid(request.config, request.overrides, yes=request.yes)
        root = Path(request.workspace or grid.workspace)
        finished = run_grid(grid, root, asked, _as_subflow, get_run_logger().info)
        finished.stop()
    return finished.shards


def _as_subflow(member: Member, run: Run, reason: str) -> int:
    request = PipelineRequest(
        config=member.cell.base.config,
        workspace=run.layout.name,
        overrides=list(member.overrides),
        check=any(map(block_of, run.settings.values())),  # else the grid has looked already
        reason=reason,
    )
    return sum(pipeline.with_options(flow_run_name=member.name)(request).values())
