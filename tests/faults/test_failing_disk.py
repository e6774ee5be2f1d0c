"""A disk that fails below Python: whichever call it is, the old is there, or the new, and the next try makes it.

More operations and every call: ``python -m faults.failing_disk``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from faults import failing_disk

STATES = {"shard": {"old", "missing", "new"}, "record": {"old", "new"}, "publish": {"old", "new"}}
WRITTEN_IN_FULL = ("short",)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = failing_disk.build(tmp_path_factory.mktemp("failing"))
    if found is None:
        pytest.skip("needs a C compiler")
    return found


@pytest.mark.parametrize(
    "arguments",
    [("shard", "--every", "40"), ("record", "--every", "2"), ("publish", "--every", "200", "--ways", "full")],
    ids=lambda arguments: arguments[0],
)
def test_a_failing_call_costs_nothing_that_was_there(library: Path, arguments: tuple[str, ...]) -> None:
    *cases, summary = failing_disk.run(library, *arguments)
    assert summary["cases"] == len(cases) > 3
    assert {case["call"] for case in cases} == set(failing_disk.KINDS)
    for case in cases:
        assert case["state"] in STATES[case["operation"]], case
        assert case["again"] == "new", case
        assert not case["left"], case
        if case["way"] in WRITTEN_IN_FULL:  # the rest is written too
            assert (case["ended"], case["state"]) == ("done", "new"), case
        elif case["ended"] == "done":
            assert case["state"] == "new", case


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Root passes every permission, but not a file system that is mounted read-only."""
    from example_rows import ROWS

    from storage.layout import Layout
    from storage.shards import read_rows, write_shard

    folder = tmp_path / "workspace"
    layout = Layout(folder)
    write_shard(layout, "captions", "k", 0, ROWS["captions"], {})
    mount = ["mount", "--bind", "-o", "ro", str(folder), str(folder)]
    if os.geteuid() == 0:
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("nothing may be mounted here")
    else:
        folder.joinpath("lake", "captions", "k").chmod(0o555)
    try:
        with pytest.raises(OSError, match=r"Read-only|denied"):
            write_shard(layout, "captions", "k", 0, [], {})
        assert read_rows(layout, "captions", "k", 0) == ROWS["captions"]
    finally:
        if os.geteuid() == 0:
            subprocess.run(["umount", str(folder)], check=True)
        else:
            folder.joinpath("lake", "captions", "k").chmod(0o755)
    shutil.rmtree(folder)
