"""The whole program with its workspace in a bucket: killed on one machine, finished by another.

Two machines are two homes and working directories that share nothing but a real S3 server.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from pipeline_runs import command, dialoguellm, environment, tables
from talks import write

from storage import model_folders
from storage.layout import Layout, at
from storage.remote import bucket_of


def test_killed_on_one_machine_finished_by_another(tmp_path: Path, tiny_model: Path, bucket: str) -> None:
    config = write(tmp_path, tiny_model)
    dialoguellm(tmp_path / "alone", "run", str(config), "--direct", "-w", "workspace")

    os.environ.pop("DIALOGUELLM_COPIES")  # from here on, each home has its own
    arguments = ("run", str(config), "--direct", "-w", bucket)
    kill_while_training(tmp_path / "first", bucket, arguments)
    output = dialoguellm(tmp_path / "second", *arguments)
    assert "0 shards done" not in output
    assert "0 shards done" in dialoguellm(tmp_path / "first", *arguments)

    status = dialoguellm(tmp_path / "third", "status", "-w", bucket)
    assert "completed" in status
    assert "2 of" not in status
    assert "crashed" in dialoguellm(tmp_path / "third", "sql", "select state from attempts", "-w", bucket)
    everything = everything_of(bucket)
    alone = Layout(tmp_path / "alone" / "workspace")
    ours, theirs = tables(everything.root), tables(alone.root)
    assert rows(ours) == rows(theirs)
    assert adapters(everything) == adapters(alone)


def kill_while_training(home: Path, bucket: str, arguments: tuple[str, ...]) -> None:
    """Kills the run with all that it started once a second checkpoint is in the bucket; it must not be at its end."""
    process = subprocess.Popen(
        command(home, *arguments), env=environment(home), cwd=home, stderr=subprocess.DEVNULL, start_new_session=True
    )
    there = bucket_of(bucket)
    until = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < until and not there.list("models/"):
        time.sleep(0.01)
    ended = process.poll()
    if ended is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert ended is None, f"the run ended ({ended}) before it was killed"
    assert not there.list("reports/")


def everything_of(bucket: str) -> Layout:
    """All of the lake and of the adapters, as one more machine sees it."""
    layout = at(bucket)
    assert layout.mirror
    layout.mirror.fetch_all(layout.root / name for name in layout.mirror.bucket.list("lake/"))
    for name in layout.mirror.bucket.list("models/"):
        if name.endswith(".json"):
            model_folders.fetch(layout, layout.root / name.removesuffix(".json"))
    return layout


def rows(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without empty tables, which no bucket holds, and without the report, which tells when its run was made."""
    return {name: table for name, table in found.items() if table and name != "reports"}


def adapters(layout: Layout) -> list[bytes]:
    return [path.read_bytes() for path in sorted(layout.root.glob("models/*/adapter/adapter_model.safetensors"))]
