"""Flow runs whose process is gone, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prefect_server import Server, as_client


@pytest.fixture
def server(prefect_server: Server) -> Iterator[Server]:
    with as_client(prefect_server):
        yield prefect_server


@pytest.fixture
def running(server: Server) -> str:
    """The id of a flow run that the server holds for running."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.states import Running

    with get_client(sync_client=True) as client:
        assert str(client.api_url).startswith(server.api)
        return str(client.create_flow_run(flow(lambda: None, name="zombie"), state=Running()).id)


def attempt(flow_run: str | None, started: timedelta) -> dict[str, Any]:
    return {"flow_run": flow_run, "state": "crashed", "started_at": (datetime.now(UTC) + started).isoformat()}


def state(server: Server, flow_run: str) -> tuple[str, str]:
    (found,) = server.filtered("flow_runs", flow_runs={"id": {"any_": [flow_run]}})
    return found["state"]["type"], found["state"]["message"] or ""


def test_a_dead_one_is_marked_once(server: Server, running: str) -> None:
    from flows.zombies import bury

    crashed = [attempt(None, timedelta()), attempt(running, timedelta(seconds=1))]
    assert bury(crashed) == f"1 flow run marked as crashed at {server.api}"
    assert state(server, running) == (
        "CRASHED",
        "its process is gone (dialoguellm reap); a retry goes on where it stopped",
    )
    assert bury(crashed).startswith("0 flow runs")


def test_a_retry_that_began_after_the_crash_is_left_alone(server: Server, running: str) -> None:
    from flows.zombies import bury

    assert bury([attempt(running, -timedelta(hours=1))]).startswith("0 flow runs")
    assert state(server, running)[0] == "RUNNING"


def test_without_a_server_a_line_says_so(server: Server, running: str) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.zombies import bury

    crashed = [attempt(running, timedelta(seconds=1))]
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert "no Prefect server is configured" in bury(crashed)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        assert "http://127.0.0.1:9/api cannot be reached" in bury(crashed)
    assert state(server, running)[0] == "RUNNING"
