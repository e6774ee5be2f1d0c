"""The flow of a grid as Prefect is told of it. tests/test_ablation_run.py runs it."""

from __future__ import annotations

from pathlib import Path

import yaml

from flows.grid import read_grid

ROOT = Path(__file__).parents[2]


def test_its_deployment_names_a_flow_and_parameters_that_it_has() -> None:
    from flows.ablation import ablation

    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (mine,) = [one for one in deployments if one["name"] == "ablation"]
    assert mine["entrypoint"] == "flows/ablation.py:ablation"
    request = ablation.validate_parameters(mine["parameters"])["request"]
    assert read_grid(request.config).cells
