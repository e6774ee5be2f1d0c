"""A process that does not read, against a real one; the rest is shown by decoders and captioners."""

from __future__ import annotations

import os
import signal

import pytest

from model import child_process
from model.child_process import ChildProcess, WorkerLost


class Decoder(ChildProcess):
    """The smallest program that keeps the contract."""

    def __init__(self) -> None:
        super().__init__("tasks.video.worker", [str(3 * 2**30)], {"MADE": "here"}, "a process", ["KEPT_"])


def test_one_that_does_not_read_what_is_sent_does_not_hold_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "SEND_S", 1)
    child = Decoder()
    os.kill(child._process.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        child._send_bytes(bytes(10_000_000))
    assert child.end(0.1) == "SIGKILL"
    with pytest.raises(WorkerLost):
        child._send({})


def test_what_it_inherits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT_THIS", "x")
    monkeypatch.setenv("HF_TOKEN", "secret-of-mine")
    found = child_process._environment({"MADE": "here"}, ["KEPT_"])
    assert (found["KEPT_THIS"], found["MADE"]) == ("x", "here")
    assert found["PATH"] == os.environ["PATH"]
    assert "secret-of-mine" not in found.values()
