"""`dialoguellm automations apply` on the command line."""

from __future__ import annotations

import pytest
from prefect_server import Server, as_client
from typer.testing import CliRunner

from flows.cli import app
from flows.run_commands import quiet_prefect
from model.errors import SettingsError


def test_it_says_what_it_did(prefect_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.run_commands.quiet_prefect", lambda: None)  # it is for a process of its own
    with as_client(prefect_server):
        said = CliRunner().invoke(app, ["automations", "apply", "--zombie-after", "300"])
    assert said.exit_code == 0
    assert [line.partition(": ")[2] for line in said.stdout.splitlines()] == [
        *("dialoguellm: a run failed", "dialoguellm: a run is a zombie", "dialoguellm: weighted F1 fell")
    ]


def test_it_needs_a_server_that_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(quiet_prefect)
    monkeypatch.setattr("flows.run_commands.quiet_prefect", lambda: None)
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        found = CliRunner().invoke(app, ["automations", "apply"])
    assert isinstance(found.exception, SettingsError)
    assert "prefect server start" in str(found.exception)


def test_a_heartbeat_comes_every_30_s_so_less_than_90_is_refused() -> None:
    assert CliRunner().invoke(app, ["automations", "apply", "--zombie-after", "60"]).exit_code == 2
