"""One decoder process: what it inherits, what it may use, and that it never outlives its parent for long."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import psutil
import pytest
from video_clips import moving, scene, three_shots, write_clip, write_sound

from model.child_process import ROOM, WorkerLost
from model.errors import VideoError
from tasks.video.options import Options
from tasks.video.process import Worker

MEMORY = 3 * 2**30
WHOLE = [(0.0, None)]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("SOME_TOKEN", "secret-of-mine")
    made = Worker(MEMORY)
    yield made
    made.end()


def test_it_is_lean_and_knows_no_secrets(worker: Worker, tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    outcome = worker.extract((tmp_path, "a.mp4", WHOLE), Options())[0]
    assert isinstance(outcome, list)
    assert [chosen.jpeg[:2] for chosen in outcome] == [b"\xff\xd8"] * 3
    process = psutil.Process(worker._process.pid)
    assert "secret-of-mine" not in process.environ().values()
    assert not [mapped.path for mapped in process.memory_maps() if "torch" in mapped.path]
    assert process.rlimit(psutil.RLIMIT_AS) == (MEMORY, MEMORY)
    assert process.memory_info().rss < 300e6


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_the_memory_of_freed_frames_serves_the_next_file(worker: Worker, tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", moving(scene(1, 1280, 720), 30))
    faults = []
    for _ in range(3):
        before = page_faults(worker._process.pid)
        assert isinstance(worker.extract((tmp_path, "a.mp4", WHOLE), Options())[0], list)
        faults.append(page_faults(worker._process.pid) - before)
    assert faults[2] < faults[0] / 10, "else each file's frames are asked of the kernel again"


def page_faults(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[7])


def test_names_in_any_encoding(worker: Worker, tmp_path: Path) -> None:
    name = b'\xff\xfe quote" \xe2\x82\xac.mp4'.decode("utf-8", "surrogateescape")
    three_shots(tmp_path / name)
    assert isinstance(worker.extract((tmp_path, name, WHOLE), Options())[0], list)


def test_a_length_is_asked_for_between_files(worker: Worker, tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    write_sound(tmp_path / "sound.mp4")
    assert worker.length(tmp_path, "a.mp4", Options()) == pytest.approx(3.0, abs=0.05)
    refused = worker.length(tmp_path, "sound.mp4", Options())
    assert isinstance(refused, VideoError)
    assert refused.reason == "no_video_stream"
    assert isinstance(worker.extract((tmp_path, "a.mp4", WHOLE), Options())[0], list)
    assert worker.files == 3


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"clips": []}',
        b'{"clips": 7}',
        b'{"clips": [7]}',
        b'{"clips": [{"frames": [{"width": 1}]}]}',
        b'{"clips": [{"reason": "x"}]}',
        b'{"seconds": [1]}',
        b'{"seconds": "long"}',
        b'{"reason": "x"}',
    ],
)
def test_an_answer_that_makes_no_sense_is_that_of_a_lost_worker(worker: Worker, answer: bytes) -> None:
    for ask in (
        lambda: worker.extract((Path("/"), "a.mp4", WHOLE), Options()),
        lambda: worker.length(Path("/"), "a.mp4", Options()),
    ):
        worker._pipe.close()
        worker._pipe, theirs = Pipe()
        with theirs:
            theirs.send_bytes(answer)
            theirs.send_bytes(b"no picture")
            with pytest.raises(WorkerLost):
                ask()


def test_a_decoder_that_cannot_start_is_the_machines_fault_and_not_a_videos() -> None:
    with pytest.raises(RuntimeError, match="does not start"):
        Worker(20 * 2**20)


def test_it_ends_with_its_parent() -> None:
    program = (
        "import os, signal, tasks.video.process as p; w = p.Worker(3 << 30); "
        "print(w._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOM, capture_output=True, text=True)
    orphan = int(ran.stdout)
    deadline = time.monotonic() + 60
    while psutil.pid_exists(orphan) and psutil.Process(orphan).status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == "zombie"
