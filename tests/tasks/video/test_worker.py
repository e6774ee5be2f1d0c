"""The decoder's side of the pipe: plain JSON, then pictures; faults of one file never end it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from video_clips import three_shots

from model.child_process import ROOM
from tasks.video.options import Options


@pytest.fixture
def pipe() -> Iterator[Connection]:
    ours, theirs = Pipe()
    program = [sys.executable, "-P", "-m", "tasks.video.worker", str(theirs.fileno()), str(3 << 30)]
    environment = {**os.environ, "PYTHONPATH": str(ROOM)}
    with theirs:
        process = subprocess.Popen(program, pass_fds=[theirs.fileno()], env=environment)
    assert json.loads(ours.recv_bytes()) == {"ready": True}
    yield ours
    ours.close()
    assert process.wait(60) == 0, "a closed pipe is the end of its work, not an error"


def ask(pipe: Connection, root: Path, name: str, **options: Any) -> dict[str, Any]:
    request = {"root": str(root), "name": name, "stretches": [[0.0, None]], "options": asdict(Options(**options))}
    pipe.send_bytes(json.dumps(request).encode())
    reply: dict[str, Any] = json.loads(pipe.recv_bytes())
    return reply


def test_one_request_after_another(pipe: Connection, tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    frames = ask(pipe, tmp_path, "a.mp4")["clips"][0]["frames"]
    assert len(frames) == 3
    assert all("jpeg" not in frame for frame in frames)
    assert [pipe.recv_bytes()[:2] for _ in frames] == [b"\xff\xd8"] * 3
    assert ask(pipe, tmp_path, "gone.mp4")["clips"][0]["reason"] == "missing_video"
    assert "face_model" in ask(pipe, tmp_path, "a.mp4", face_model=str(tmp_path / "a.mp4"))["fault"]
    assert ask(pipe, tmp_path, "a.mp4", long_side="wide")["clips"][0]["reason"] == "decoder_error"
    request = {"root": str(tmp_path), "name": "a.mp4", "stretches": None, "options": asdict(Options())}
    pipe.send_bytes(json.dumps(request).encode())
    assert json.loads(pipe.recv_bytes()) == {"seconds": pytest.approx(3.0, abs=0.05)}
    assert ask(pipe, tmp_path, "a.mp4", max_pixels=10)["clips"][0]["reason"] == "too_large"
