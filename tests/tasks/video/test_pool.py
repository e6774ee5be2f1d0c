"""Decoder processes that die and hang for real; everybody else goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from video_clips import three_shots

from model.errors import VideoError, WeightsError
from tasks.video import pool as pools
from tasks.video.options import Options
from tasks.video.outcome import Length, Outcome
from tasks.video.pool import WorkerPool
from tasks.video.process import Request, Worker

MEMORY = 3 * 2**30


class Fragile(Worker):
    """Its process gets a signal when it is asked for a file that is named after one."""

    def extract(self, request: Request, options: Options) -> list[Outcome]:
        for name in ("SIGSEGV", "SIGSTOP"):
            if request[1].startswith(name):
                os.kill(self._process.pid, getattr(signal, name))
        return super().extract(request, options)

    def length(self, root: Path, name: str, options: Options) -> Length:
        if name.startswith("SIGSEGV"):
            os.kill(self._process.pid, signal.SIGSEGV)
        return super().length(root, name, options)


class Liar(Worker):
    """Its process has been taken over: what comes through the pipe is not what a decoder says."""

    said = b""

    def _bytes(self, seconds: float) -> bytes:
        said = super()._bytes(seconds)
        return said if b"ready" in said else self.said


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("good", "SIGSEGV", "SIGSTOP"):
        three_shots(tmp_path / f"{name}.mp4")
    return tmp_path


def workers() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "tasks.video.worker" in child.cmdline()}


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPool]:
    monkeypatch.setattr(pools, "Worker", Fragile)
    before = workers()  # other tests keep the pool that stages share
    made = WorkerPool(2, MEMORY)
    yield made
    made.close()
    assert workers() <= before, "no process is left"


def reasons(outcomes: Sequence[Outcome]) -> list[str]:
    return [outcome.reason if isinstance(outcome, VideoError) else "ok" for outcome in outcomes]


def test_crashes_and_hangs_cost_only_their_own_file(pool: WorkerPool, folder: Path) -> None:
    names = ["good.mp4", "SIGSEGV.mp4", "good.mp4", "SIGSTOP.mp4", "gone.mp4", "good.mp4"]
    whole = [(0.0, None), (1.0, 2.0)]
    futures = [pool.submit((folder, name, whole), Options(timeout_s=1.0 if "STOP" in name else 60.0)) for name in names]
    found = [reasons(future.result()) for future in futures]
    assert found[1] == ["decoder_crashed"] * 2
    assert found[3] == ["timed_out"] * 2
    assert found[4] == ["missing_video"] * 2
    assert [found[0], found[2], found[5]] == [["ok", "ok"]] * 3
    assert "SIGSEGV" in str(futures[1].result()[0])


@pytest.mark.parametrize(
    "said",
    [
        b"no JSON",
        b"[" * 100_000,
        b"7",
        b"{}",
        b'{"clips": []}',
        b'{"clips": [{"frames": [{"jpeg": "x"}]}]}',
        b'{"clips": [{"reason": "rm -rf", "detail": ""}]}',
        b'{"clips": 1' + b"0" * 5000 + b"}",
    ],
)
def test_a_decoder_that_is_not_itself_is_not_believed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(pools, "Worker", Liar)
    monkeypatch.setattr(Liar, "said", said)
    pool = WorkerPool(1, MEMORY)
    (outcome,) = pool.submit((folder, "good.mp4", [(0.0, None)]), Options()).result()
    pool.close()
    assert isinstance(outcome, VideoError)
    assert outcome.reason == "decoder_crashed"
    assert "its answer" in str(outcome)


def test_lengths_survive_a_crash_too(pool: WorkerPool, folder: Path) -> None:
    found = [pool.length(folder, name, Options()) for name in ("good.mp4", "SIGSEGV.mp4", "gone.mp4", "good.mp4")]
    lengths = [future.result() for future in found]
    assert [lengths[0], lengths[3]] == [pytest.approx(3.0, abs=0.05)] * 2
    assert reasons([length for length in lengths if isinstance(length, VideoError)]) == [
        "decoder_crashed",
        "missing_video",
    ]


def test_workers_are_reused_and_replaced(pool: WorkerPool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Worker] = []

    class Counted(Worker):
        def __init__(self, memory_bytes: int) -> None:
            super().__init__(memory_bytes)
            started.append(self)

    monkeypatch.setattr(pools, "Worker", Counted)
    monkeypatch.setattr(pools, "FILES_PER_WORKER", 3)
    for _ in range(4):
        assert reasons(pool.submit((folder, "good.mp4", [(0.0, None)]), Options()).result()) == ["ok"]
    assert [worker.files for worker in started] == [3, 1]


def test_a_face_model_that_is_none_stops_the_stage_and_not_the_worker(pool: WorkerPool, folder: Path) -> None:
    bad = Options(face_model=str(folder / "good.mp4"))
    with pytest.raises(WeightsError, match="face_model"):
        pool.submit((folder, "good.mp4", [(0.0, None)]), bad).result()
    assert reasons(pool.submit((folder, "good.mp4", [(0.0, None)]), Options()).result()) == ["ok"]
