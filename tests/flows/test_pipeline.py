"""The flows against a real server, over small stages in this process: least work, and what is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from time import sleep
from typing import Any

import fake_stages
import pytest
from fake_stages import SEEN
from prefect_server import Server, as_client, until

from storage import ledger
from storage.layout import Layout, at
from tasks.plan import Run, load


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The server, with this process as its client, small stages, and a configuration in the current folder."""
    with as_client(prefect_server):
        from flows import stages

        fake_stages.install(monkeypatch)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(stages, "shard_task", stages.shard_task.with_options(retries=0))  # nobody waits for backoff
        Path("fake.toml").write_text('name = "fake"\n')
        yield prefect_server


def go(**asked: Any) -> Any:
    """The state of a flow run that runs the configuration."""
    from flows.pipeline import PipelineRequest, pipeline

    return pipeline(PipelineRequest(config="fake.toml", **asked), return_state=True)


def rerun(**asked: Any) -> Any:
    from flows.pipeline import RerunRequest
    from flows.pipeline import rerun as flow

    return flow(RerunRequest(run="fake", **asked), return_state=True)


def retry(state: Any) -> Any:
    """What ``prefect flow-run retry`` and the UI's button do to a flow run: the same run again, as it was asked for."""
    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled

    from flows.pipeline import pipeline

    with get_client(sync_client=True) as client:
        flow_run = state.state_details.flow_run_id
        client.set_flow_run_state(flow_run, Scheduled(message="Retried"), force=True)
        known = client.read_flow_run(flow_run)
    return run_flow(pipeline, flow_run=known, parameters=known.parameters, return_type="state")


def latest(key: str, server: Server) -> Any:
    """The artifact of a key that was written last."""
    found = server.filtered("artifacts/latest", artifacts={"key": {"any_": [key]}})
    return found[0]["data"] if found else None


def broken(root: Path) -> tuple[Run, Path]:
    """The run, and a place that cannot be written: a folder where a shard's file belongs."""
    go(stages=["ingest"])
    run = load(at(root / "workspace"))
    place = run.layout.part("captions", run.keys["captions"] or "", 1)
    place.mkdir(parents=True)
    return run, place


def attempts(layout: Layout, run: Run) -> list[dict[str, Any]]:
    return ledger.attempts(layout, run.run_id)


def test_every_way_to_run_again_does_the_same_least_work(server: Server, tmp_path: Path) -> None:
    run, place = broken(tmp_path)
    first = go()
    assert first.is_failed()
    line = f"dialoguellm rerun {run.run_id} --failed"
    told = latest("failure-fake", server)
    assert re.search(rf"shard 1: IsADirectoryError: .*part-00001\.parquet.*\n  again: {line}\n```$", told)

    SEEN.clear()
    again = [retry(first), go(), rerun(), rerun(stage="captions", shards=[1])]
    assert all(state.is_failed() for state in again)
    lines = [f"fake/train/{dialogue}/{turn}" for dialogue in (2, 3) for turn in range(3)]
    assert {"captions": lines * 4} == SEEN, "shard 1 and nothing else, each time"
    known = attempts(run.layout, run)[1:]
    assert [item["reason"] for item in known] == [
        *("run", "retry 1 of run", "run", "rerun fake --failed", "rerun fake --stage captions --shards 1")
    ]
    assert len({item["plan_digest"] for item in known[1:4]}) == 1
    assert len({item["plan_digest"] for item in known}) == 3, "all of it, what is left, and one shard of that"
    assert [item["parent"] for item in known] == [1, 2, 3, 4, 5]
    assert known[0]["flow_run"] == known[1]["flow_run"] == str(first.state_details.flow_run_id)
    assert len({item["flow_run"] for item in known}) == 4

    place.rmdir()
    SEEN.clear()
    assert retry(first).is_completed()
    assert SEEN["captions"] == lines
    assert {"finetune", "evaluate", "report"} < SEEN.keys()
    assert attempts(run.layout, run)[-1]["reason"] == "retry 2 of run"
    assert rerun().is_completed()
    assert attempts(run.layout, run)[-1]["pending"] == {}


def test_a_dry_run_shows_the_plan_and_does_nothing(server: Server, tmp_path: Path) -> None:
    run, _ = broken(tmp_path)
    before = attempts(run.layout, run)
    shown = rerun(stage="captions", shards=[1, 2], dry_run=True)
    assert shown.is_completed()
    assert attempts(run.layout, run) == before
    rows = latest("plan-fake", server)
    assert [part in rows for part in ('"shard": 1', '"shard": 2', '"shard": 0', "missing")] == [True, True, False, True]


def test_what_stops_a_flow_before_it_begins_is_told_too(server: Server) -> None:
    assert go(overrides=["captions.dance=1"], workspace="else where").is_failed()
    told = latest("failure-fake", server)
    assert told.startswith("```\nSettingsError: ")
    assert told.endswith("  again: dialoguellm run fake.toml -w 'else where' --set captions.dance=1\n```")


def test_a_fall_of_weighted_f1_is_an_event(server: Server, tmp_path: Path) -> None:
    assert go(overrides=["score.f1=0.8"]).is_completed()
    run = load(at(tmp_path / "workspace"))
    assert go(overrides=["score.f1=0.79", "captions.prompt=b"]).is_completed()
    assert go(overrides=["score.f1=0.5", "captions.prompt=c"], f1_drop=0.1).is_completed()
    lower = load(at(tmp_path / "workspace"))
    about = {"event": {"prefix": ["dialoguellm."]}, "resource": {"id_prefix": ["dialoguellm.run.fake-"]}}
    found = until(lambda: [events for events in [server.filtered("events", filter=about)] if len(events) >= 4])[0]
    changes = {(item["event"], item["payload"]["run_id"]): item["payload"]["change"] for item in found}
    assert changes["dialoguellm.scored", run.run_id] is None
    assert changes["dialoguellm.weighted-f1.fell", lower.run_id] == pytest.approx(-0.29)
    assert sorted(event for event, _ in changes) == ["dialoguellm.scored"] * 3 + ["dialoguellm.weighted-f1.fell"]
    (fell,) = (item for item in found if item["event"] == "dialoguellm.weighted-f1.fell")
    assert fell["payload"]["said"].startswith("weighted F1 of tuned on demo test fell from 79.0 to 50.0 (-29.0) since")
    assert {item["prefect.resource.role"] for item in fell["related"]} >= {"flow", "flow-run"}


@pytest.mark.usefixtures("server")
def test_a_run_that_is_cancelled_begins_no_further_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it says that it was, which takes a while."""
    from flows import stages

    class Cancelled(BaseException):
        pass

    def show(_self: Any, progress: Any, *, now: bool = False) -> None:  # noqa: ARG001
        if SEEN.get("captions"):
            monkeypatch.setattr("tasks.drive.publish", lambda _run: sleep(1))
            raise Cancelled

    Path("fake.toml").write_text('name = "fake"\n[ingest]\ndialogues = {train = 40, dev = 1, test = 1}\n')
    monkeypatch.setattr(stages.ProgressArtifact, "show", show)
    with pytest.raises(Cancelled):
        go()
    layout = at(tmp_path / "workspace")
    run = load(layout)
    assert len(run.shards() or ()) == 22
    assert 1 <= len(SEEN["captions"]) // 6 <= 3, "the one that was waited for, and what had begun"
    assert attempts(layout, run)[-1]["state"] == "cancelled"
