"""A stage in a process of its own: the same shard, and what is done when it hangs or dies."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from talks import write

from flows.settings import prepare
from model.errors import DialogueError
from storage import journal, ledger
from storage.shards import read_rows
from tasks.apart import Apart, ShardLost, apart, opened
from tasks.plan import Run
from tasks.run import run_shard
from tasks.stages import BY_NAME

SILENT = (
    *(sys.executable, "-c"),
    "import sys; from multiprocessing.connection import Connection; pipe = Connection(int(sys.argv[-1]));"
    'pipe.recv_bytes(); pipe.send_bytes(b\'{"progress": [1, 4, "clips"]}\');'
    "from ctypes import CDLL; CDLL(None).pause()",  # blocks in C
)
DYING = (sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Text alone, with a tiny model: ingest is done, instructions are next."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    config = write(tmp_path, tiny_model)
    settings = ["finetune.hang_after_s=2", "instructions.hang_after_s=120"]
    made = prepare(str(config), workspace=tmp_path / "workspace", overrides=settings)
    ledger.save_run(made.layout, made.record)
    run_shard(made, "ingest", 0)
    return made


def test_the_process_makes_the_same_shards_one_after_another(run: Run) -> None:
    stage = BY_NAME["instructions"]
    process = Apart(run, stage)
    heard: list[tuple[int, int, str]] = []
    manifests = [process.run_shard(shard, lambda *said: heard.append(said)) for shard in (0, 1)]
    pid = process._process.pid if process._process else 0
    process.end()
    assert not psutil.pid_exists(pid)
    theirs = [read_rows(run.layout, "instructions", run.key(stage), shard) for shard in (0, 1)]
    assert [run_shard(run, "instructions", shard)["rows"] for shard in (0, 1)] == [item["rows"] for item in manifests]
    assert [read_rows(run.layout, "instructions", run.key(stage), shard) for shard in (0, 1)] == theirs
    said = list(journal.lines(run.layout, run.run_id, stage="instructions", shard=1))[:2]
    assert [line["message"].split(":")[0] for line in said] == ["begins", "done"]


def test_what_our_checks_refuse_is_refused_here_too(run: Run) -> None:
    process = Apart(run, BY_NAME["instructions"])
    run.layout.part("utterances", run.key(BY_NAME["ingest"]), 0).write_bytes(b"no Parquet")
    with pytest.raises(DialogueError, match=r"part-00000\.parquet"):
        process.run_shard(0)
    process.end()


def test_one_that_hangs_in_c_is_ended_and_recorded(run: Run) -> None:
    stage = BY_NAME["finetune"]
    heard: list[int] = []
    process = Apart(run, stage, SILENT)
    with pytest.raises(ShardLost, match=r"said nothing for 2 s and was ended; raise finetune.hang_after_s"):
        process.run_shard(0, lambda done, *_: heard.append(done))
    assert heard == [1]
    assert process._process is None
    state, failure = ledger.shard_state(run.layout, stage.writes, run.key(stage), 0)
    assert (state, failure and failure["type"], failure and failure["failures"]) == ("failed", "ShardLost", 1)


def test_one_that_dies_says_how(run: Run) -> None:
    with pytest.raises(ShardLost, match="ended while it made the shard: SIGSEGV"):
        Apart(run, BY_NAME["finetune"], DYING).run_shard(0)


def test_a_cancelled_shard_has_not_failed_and_is_not_begun_again(run: Run) -> None:
    stage = BY_NAME["finetune"]
    settings = {**run.settings, "finetune": run.settings["finetune"].model_copy(update={"hang_after_s": 600.0})}
    process = Apart(replace(run, settings=settings), stage, SILENT)
    begun = threading.Event()
    raised: list[Exception] = []

    def work() -> None:
        try:
            process.run_shard(0, lambda *_: begun.set())
        except DialogueError as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    process.end()
    thread.join(30)
    assert [str(error) for error in raised] == ["finetune was ended before shard 0 was done"]
    assert ledger.shard_state(run.layout, stage.writes, run.key(stage), 0) == ("missing", None)
    with pytest.raises(DialogueError, match="was ended before shard 0"):
        process.run_shard(0)
    assert process._process is None


def test_it_ends_with_its_parent(run: Run, tmp_path: Path) -> None:
    program = (
        "import sys; from storage.layout import Layout; from pathlib import Path; from tasks.plan import load;"
        "from tasks.apart import Apart; from tasks.stages import BY_NAME;"
        "process = Apart(load(Layout(Path(sys.argv[1])), sys.argv[2]), BY_NAME['instructions']);"
        "process.run_shard(0); Path(sys.argv[3]).write_text(str(process._process.pid));"
        "import time; time.sleep(600)"
    )
    note = tmp_path / "pid"
    parent = psutil.Popen([sys.executable, "-c", program, str(run.layout.root), run.run_id, str(note)])
    while not note.exists() or not note.read_text():
        assert parent.poll() is None
        time.sleep(0.05)
    child = psutil.Process(int(note.read_text()))
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    child.wait(30)


def test_only_stages_with_a_model_have_one(run: Run) -> None:
    with apart(run, BY_NAME["instructions"]):
        assert opened(run, "instructions") is None
    with apart(run, BY_NAME["finetune"]):
        assert isinstance(opened(run, "finetune"), Apart)
    ended = opened(run, "finetune")
    assert ended, "a thread that comes late must not train in this process"
    with pytest.raises(DialogueError, match="was ended"):
        ended.run_shard(0)
