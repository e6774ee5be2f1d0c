"""Files are whole or not there, whatever happens in between."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
from dying_child import in_a_child_that_dies_at

from model.atomic import new_folder, replace_folder, replacing, write_json


def test_the_new_file_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "value.json"
    write_json(target, {"a": 1})
    write_json(target, {"a": 2, "path": Path("x")})
    assert json.loads(target.read_text()) == {"a": 2, "path": "x"}
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(target.parent.iterdir()) == [target]


def fail(target: Path, error: BaseException) -> None:
    with replacing(target) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failing_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path / "new", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


def test_a_failing_block_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "value"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail(target, KeyboardInterrupt())
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_block_that_removes_its_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "value") as temporary:
        temporary.unlink()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_may_not_grow_leaves_the_old_one(tmp_path: Path) -> None:
    """As on a full disk, but for any user: the system refuses to write past 4 KiB."""
    target = tmp_path / "value.json"
    write_json(target, "old")
    script = (
        "import resource, sys; from pathlib import Path; from model.atomic import write_json\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: write_json(Path(sys.argv[1]), 'x' * 100_000)\n"
        "except OSError: print('refused')\n"
    )
    found = subprocess.run([sys.executable, "-c", script, target], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "refused"
    assert json.loads(target.read_text()) == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_writer_leaves_the_old_file_and_a_dot_file(tmp_path: Path) -> None:
    target = tmp_path / "value"
    target.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from model.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, target], check=False).returncode == -signal.SIGKILL
    assert target.read_text() == "old"
    assert [path.name[0] for path in tmp_path.iterdir() if path != target] == ["."]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    target = tmp_path / "value.json"
    write_json(target, ["x"] * 5000)
    stop, broken = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                json.loads(target.read_text())
            except (OSError, ValueError) as error:
                broken.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        write_json(target, [str(number)] * 5000)
    stop.set()
    reader.join()
    assert broken == []


def test_replace_folder_keeps_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "adapter"
    replace_folder(target, lambda work: (work / "a").write_text("old") and None)

    def half(work: Path) -> None:
        (work / "a").write_text("new")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_folder(target, half)
    assert (target / "a").read_text() == "old"
    replace_folder(target, lambda work: (work / "b").write_text("newer") and None)
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_killed_at_any_moment_a_replaced_folder_is_never_a_part_of_one(tmp_path: Path) -> None:
    target = tmp_path / "adapter"

    def filled(value: str) -> None:
        replace_folder(target, lambda work: [(work / name).write_text(value) for name in "abc"] and None)

    found = set()
    for step in count():
        filled("old")
        ended = in_a_child_that_dies_at(step, tmp_path, lambda: filled("new"))
        if target.exists():
            values = [path.read_text() for path in sorted(target.iterdir())]
            assert values in (["old"] * 3, ["new"] * 3)
            found.add(values[0])
        if ended:
            break
    assert step > 6
    assert found == {"old", "new"}
    filled("newer")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_a_new_folder_comes_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "out"

    def half() -> None:
        with new_folder(target) as work:
            (work / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert list(target.parent.iterdir()) == []
    target.mkdir()
    with new_folder(target) as work:
        (work / "a").write_text("whole")
    assert (target / "a").read_text() == "whole"
    assert target.stat().st_mode & 0o777 == 0o755


def test_a_new_folder_replaces_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out"

    def late() -> None:
        with new_folder(target) as work:
            (work / "a").write_text("new")
            target.mkdir()
            (target / "b").write_text("somebody else's")

    with pytest.raises(OSError, match="not empty"):
        late()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in target.iterdir()] == ["b"]
