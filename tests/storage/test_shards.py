"""Shards: rows, rejects and manifest, whole or not there."""

from __future__ import annotations

import errno
import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from example_rows import FIRST, ROWS, SECOND

from model.dialogue import Rejected, Utterance
from model.errors import WorkspaceError
from storage import parquet, shards, tables
from storage.layout import Layout
from storage.ledger import shard_state
from storage.shards import read_columns, read_manifest, read_rows, read_table, write_shard

UTTERANCES = ROWS["utterances"]
REJECTED = [
    Rejected(FIRST, "s", "bad", "why"),
    Rejected(FIRST, "s", "worse", "why"),
    Rejected(SECOND, "s", "bad", "why"),
]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def lines(count: int) -> list[Utterance]:
    return [
        Utterance(f"demo/train/d/{n}", "demo", "train", "d", n, str(n), "Ana", f"line {n}", "joy") for n in range(count)
    ]


def files(layout: Layout) -> set[str]:
    return {str(path.relative_to(layout.lake)) for path in layout.lake.rglob("*") if path.is_file()}


@pytest.mark.parametrize("table", ROWS)
def test_rows_of_every_table_come_back(layout: Layout, table: str) -> None:
    write_shard(layout, table, "k", 7, ROWS[table], {})
    assert read_rows(layout, table, "k", 7) == ROWS[table]


def test_the_manifest_says_what_was_written(layout: Layout) -> None:
    facts: dict[str, Any] = {"run_id": "r"}

    def rows() -> Iterator[Any]:
        yield from (UTTERANCES[0], REJECTED[0], UTTERANCES[1], REJECTED[1], REJECTED[2])
        facts["seconds"] = 1.5  # known only when the stage has ended

    manifest = write_shard(layout, "utterances", "k", 3, rows(), facts)
    part = layout.part("utterances", "k", 3).read_bytes()
    refused = layout.part("rejects", "k", 3).read_bytes()
    assert (
        manifest
        == read_manifest(layout.manifest("utterances", "k", 3))
        == {
            "run_id": "r",
            "seconds": 1.5,
            "stage_key": "k",
            "shard": 3,
            "rows": 2,
            "rejects": 3,
            "rejected_utterances": 2,
            "bytes": len(part),
            "sha256": hashlib.sha256(part).hexdigest(),
            "content": parquet.content(layout.part("utterances", "k", 3)),
            "rejects_bytes": len(refused),
            "rejects_sha256": hashlib.sha256(refused).hexdigest(),
        }
    )
    assert read_rows(layout, "utterances", "k", 3) == UTTERANCES
    assert read_rows(layout, "rejects", "k", 3) == REJECTED
    assert files(layout) == {
        "utterances/k/part-00003.parquet",
        "utterances/k/part-00003.json",
        "rejects/k/part-00003.parquet",
    }


def test_rejects_go_when_nothing_is_rejected_any_more(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, [UTTERANCES[0], *REJECTED], {})
    assert write_shard(layout, "utterances", "k", 0, UTTERANCES, {})["rejects"] == 0
    assert not layout.part("rejects", "k", 0).exists()
    assert read_rows(layout, "rejects", "k", 0) == []


def test_a_shard_may_hold_rejects_only_or_nothing(layout: Layout) -> None:
    assert write_shard(layout, "utterances", "k", 0, REJECTED, {})["rows"] == 0
    assert write_shard(layout, "utterances", "k", 1, [], {})["rows"] == 0
    assert read_rows(layout, "utterances", "k", 0) == read_rows(layout, "utterances", "k", 1) == []


def test_some_columns_are_read_as_the_rows_have_them(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    turns, texts, raters = read_columns(layout, "utterances", "k", 0, ["turn", "text", "raters"])
    assert [(row.turn, row.text, list(row.raters)) for row in UTTERANCES] == [*zip(turns, texts, raters, strict=True)]
    assert read_columns(layout, "rejects", "k", 0, ["reason"]) == [[]]


def test_only_the_rows_of_named_utterances(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    found = read_table(layout, "utterances", "k", 0, [SECOND, "unknown"])
    assert tables.from_arrow("utterances", found) == [UTTERANCES[1]]
    assert read_table(layout, "utterances", "k", 0, []).num_rows == 0


# ---- what goes wrong while writing


def failing(error: BaseException, after: int = 2) -> Iterator[Any]:
    yield from lines(after)
    yield REJECTED[0]
    raise error


@pytest.mark.parametrize("error", [ValueError("code"), OSError(errno.ENOSPC, "no space"), KeyboardInterrupt()])
def test_a_failing_stage_leaves_no_trace(layout: Layout, error: BaseException) -> None:
    with pytest.raises(type(error)):
        write_shard(layout, "utterances", "k", 0, failing(error), {})
    assert files(layout) == set()
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_failing_stage_leaves_the_old_shard(layout: Layout) -> None:
    manifest = write_shard(layout, "utterances", "k", 0, [*UTTERANCES, *REJECTED], {})
    with pytest.raises(ValueError, match="code"):
        write_shard(layout, "utterances", "k", 0, failing(ValueError("code")), {})
    assert shard_state(layout, "utterances", "k", 0) == ("done", manifest)
    assert read_rows(layout, "utterances", "k", 0) == UTTERANCES
    assert read_rows(layout, "rejects", "k", 0) == REJECTED


def test_a_row_that_does_not_fit_leaves_no_trace(layout: Layout) -> None:
    nameless = Utterance(None, "demo", "train", "d", 0, "0", "Ana", "hi", "joy")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="utterance_id"):
        write_shard(layout, "utterances", "k", 0, [nameless], {})
    assert files(layout) == set()


def stop(*_: object) -> None:
    raise OSError("stop")


@pytest.mark.parametrize("before", [False, True])
def test_without_its_manifest_a_shard_is_not_there(
    layout: Layout, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine stops after the rows were written and before the manifest is: also when a shard is done again."""
    if before:
        write_shard(layout, "utterances", "k", 0, lines(2), {})
    monkeypatch.setattr(shards, "write_json", stop)
    with pytest.raises(OSError, match="stop"):
        write_shard(layout, "utterances", "k", 0, lines(2), {})
    assert layout.part("utterances", "k", 0).exists()
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_killed_stage_leaves_dot_files_only(layout: Layout) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from model.dialogue import Utterance\n"
        "from storage.layout import Layout; from storage.shards import write_shard\n"
        "def rows():\n"
        "    yield Utterance('a/train/d/1', 'a', 'train', 'd', 0, '1', 'Ana', 'hi', 'joy')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_shard(Layout(Path(sys.argv[1])), 'utterances', 'k', 0, rows(), {})\n"
    )
    assert subprocess.run([sys.executable, "-c", script, layout.root], check=False).returncode == -signal.SIGKILL
    assert {Path(name).name[0] for name in files(layout)} == {"."}
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    assert read_rows(layout, "utterances", "k", 0) == UTTERANCES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_finished(small_disk: Path) -> None:
    layout = Layout(small_disk)
    frame = ROWS["keyframes"][0]
    many = [replace(frame, jpeg=number.to_bytes(4, "big") * 64) for number in range(5000)]
    manifest = write_shard(layout, "keyframes", "k", 0, [frame] * 100, {})
    for shard in (0, 1):
        with pytest.raises(OSError, match="No space left"):
            write_shard(layout, "keyframes", "k", shard, many, {})
    assert files(layout) == {"keyframes/k/part-00000.parquet", "keyframes/k/part-00000.json"}
    assert shard_state(layout, "keyframes", "k", 0) == ("done", manifest)
    assert read_rows(layout, "keyframes", "k", 0) == [frame] * 100


# ---- what is damaged when reading


def test_a_damaged_file_is_named(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 4, UTTERANCES, {})
    layout.part("utterances", "k", 4).write_bytes(b"noise" * 50)
    for read in (read_rows, read_table, lambda *given: read_columns(*given, ["text"])):
        with pytest.raises(WorkspaceError, match=r"part-00004\.parquet is damaged .*`dialoguellm fsck --repair` sets"):
            read(layout, "utterances", "k", 4)


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"text"', "\xff"])
def test_a_damaged_manifest_is_no_manifest(layout: Layout, text: str) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {})
    layout.manifest("utterances", "k", 0).write_bytes(text.encode("latin-1"))
    assert shard_state(layout, "utterances", "k", 0) == ("missing", None)


def test_a_manifest_is_readable_json(layout: Layout) -> None:
    write_shard(layout, "utterances", "k", 0, UTTERANCES, {"error": "name \udcff", "path": Path("x")})
    assert json.loads(layout.manifest("utterances", "k", 0).read_text())["path"] == "x"
