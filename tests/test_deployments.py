"""prefect.yaml on a real server: every deployment is there, its schedule plans runs, and it refuses bad values."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect_server import Server, as_client, until

from flows.version import stated
from tasks.stages import BY_NAME

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def deployed(prefect_server: Server) -> dict[str, dict[str, Any]]:
    """The deployments by name, as the server has them."""
    pool = {"name": "dialoguellm", "type": "process"}
    httpx.post(f"{prefect_server.api}/work_pools/", json=pool, timeout=60, trust_env=False).raise_for_status()
    prefect_server.prefect("deploy", "--all", folder=ROOT)
    return {row["name"]: row for row in prefect_server.filtered("deployments")}


def test_there_is_one_for_all_and_one_for_each_stage(deployed: dict[str, dict[str, Any]]) -> None:
    assert deployed.keys() >= {"pipeline", "rerun", *BY_NAME}
    for name, row in deployed.items():
        assert row["version"] == stated()["version"], name
        assert "dialoguellm" in row["tags"], "the automations know ours by it"
        assert row["description"].endswith("."), name
        assert row["enforce_parameter_schema"], name
        assert row["global_concurrency_limit"]["limit"] == 1, name
        assert row["concurrency_options"]["collision_strategy"] == "ENQUEUE", name
        assert row["job_variables"]["env"]["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30", name
    for name in BY_NAME:
        assert deployed[name]["parameters"] == {"request": {"config": "demo", "stages": [name]}}


def test_the_schedules_plan_runs(deployed: dict[str, dict[str, Any]], prefect_server: Server) -> None:
    pipeline = deployed["pipeline"]
    known = {row["slug"]: (row["active"], row["schedule"]["timezone"]) for row in pipeline["schedules"]}
    assert known == {"nightly": (True, "Europe/London"), "every-six-hours": (False, "Europe/London")}
    planned = {
        "deployments": {"id": {"any_": [pipeline["id"]]}},
        "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}},
    }
    runs = until(lambda: prefect_server.filtered("flow_runs", **planned))
    assert all(run["auto_scheduled"] and run["expected_start_time"][11:16] in ("02:00", "03:00") for run in runs)


@pytest.mark.parametrize(
    ("name", "request_", "named"),
    [
        ("captions", {"config": "demo", "stages": ["dance"]}, "request.stages"),
        ("pipeline", {"config": ""}, "request.config"),
        ("pipeline", {"config": "demo", "overrides": ["no equals sign"]}, "request.overrides"),
        ("pipeline", {"config": "demo", "f1_drop": 1.5}, "request.f1_drop"),
        ("pipeline", {"config": "demo", "stagez": []}, "stagez"),
        ("rerun", {"run": "../demo"}, "request.run"),
        ("rerun", {"run": "demo", "stage": "dance"}, "request.stage"),
        ("rerun", {"run": "demo", "shards": [-1]}, "request.shards"),
    ],
)
def test_bad_values_are_refused(
    deployed: dict[str, dict[str, Any]], prefect_server: Server, name: str, request_: dict[str, Any], named: str
) -> None:
    url = f"{prefect_server.api}/deployments/{deployed[name]['id']}/create_flow_run"
    answer = httpx.post(url, json={"parameters": {"request": request_}}, timeout=60, trust_env=False)
    assert (answer.status_code, named in answer.text) == (409, True), answer.text


@pytest.mark.parametrize("path", sorted((ROOT / "deploy").glob("*/work-pool.json")), ids=lambda path: path.parent.name)
def test_the_job_templates_are_ones_that_the_server_takes(path: Path, prefect_server: Server) -> None:
    template = json.loads(path.read_text())
    pool = {"name": f"try-{path.parent.name}", "type": path.parent.name, "base_job_template": template}
    answer = httpx.post(f"{prefect_server.api}/work_pools/", json=pool, timeout=60, trust_env=False)
    assert answer.status_code == 201, answer.text
    prefect_server.prefect("work-pool", "delete", pool["name"], folder=ROOT)


@pytest.mark.parametrize(("kind", "name"), [("docker", "Docker"), ("kubernetes", "Kubernetes")])
def test_a_worker_of_that_type_takes_its_job_template(kind: str, name: str, prefect_server: Server) -> None:
    """Where its package is installed, which knows more than the server."""
    worker = pytest.importorskip(f"prefect_{kind}.worker")
    template = json.loads((ROOT / "deploy" / kind / "work-pool.json").read_text())
    with as_client(prefect_server):
        made = getattr(worker, f"{name}WorkerJobConfiguration").from_template_and_values(
            template, {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"}}
        )
        job = asyncio.run(made)
    assert job.env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    assert job.env["PREFECT_API_URL"] == "http://server:4200/api"
