"""`status --watch`: shown until the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make
from typer.testing import CliRunner

from flows import watch
from flows.cli import app
from model.errors import SettingsError
from storage import journal, ledger
from tasks.plan import Run

PROGRAM = """
import signal, sys, time
from pathlib import Path
import fake_stages, pytest
from flows import watch

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background is told to ignore it
nap = time.sleep
time.sleep = lambda seconds: (print("napping", file=sys.stderr, flush=True), nap(seconds))
fake_stages.install(pytest.MonkeyPatch())
watch.watched(fake_stages.make(Path(sys.argv[1])))
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    fake_stages.install(monkeypatch)
    made = make(tmp_path)
    go(made)
    return made


def begin(run: Run, pid: int) -> ledger.Record:
    attempt = ledger.start_attempt(run.layout, run.run_id, reason="run", pending={}, engine="direct")
    ledger.save_attempt(run.layout, {**attempt, "pid": pid})
    return {**attempt, "pid": pid}


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def test_a_finished_run_is_shown_once(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    watch.watched(run)
    said = capsys.readouterr().out
    assert "attempt 1 (run, direct) completed" in said
    assert said.count("captions") == 1


def test_it_ends_when_the_run_ends(
    run: Run, other: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempt = begin(run, other.pid)
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            ledger.save_attempt(run.layout, {**attempt, "state": "failed", "error": "shard 3 is broken"})

    monkeypatch.setattr(time, "sleep", nap)
    watch.watched(run)
    assert len(naps) == 3
    assert min(naps) >= watch.EVERY_S
    assert "failed; test split read once: shard 3 is broken" in " ".join(capsys.readouterr().out.split())


def test_it_ends_when_the_process_is_gone(
    run: Run, other: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    begin(run, other.pid)
    assert watch.is_running(run)
    other.kill()
    other.wait()
    watch.watched(run)
    said = capsys.readouterr().out
    assert "its process is gone: `dialoguellm reap" in said
    with journal.keeping(run.layout, run.run_id):
        pass


def test_ctrl_c_leaves_the_run_be(run: Run, other: subprocess.Popen[bytes], tmp_path: Path) -> None:
    begin(run, other.pid)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as process:
        assert process.stderr
        assert process.stderr.readline() == "napping\n"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err
    assert "captions" in out
    assert ledger.attempts(run.layout, run.run_id)[-1]["state"] == "running"


def test_the_log_says_what_goes_on(run: Run) -> None:
    with journal.keeping(run.layout, run.run_id), journal.about(run_id=run.run_id, stage="captions", shard=3):
        watch.journal.logging.getLogger("tasks").warning("half of it \x1b[2J")
    assert watch._last(run).endswith("captions shard 3: half of it \N{REPLACEMENT CHARACTER}[2J")


@pytest.mark.usefixtures("run")
def test_watching_makes_a_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["status", "--watch", "--json"])
    assert isinstance(found.exception, SettingsError)
    assert "captions" in CliRunner().invoke(app, ["status", "--watch"]).stdout
