"""One process at a time, and its death frees the lock."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from model.errors import WorkspaceLocked
from storage.layout import Layout
from storage.ledger import safe_name
from storage.locks import WAREHOUSE, holding, is_held

HOLD = (
    "import sys; from pathlib import Path; from storage.layout import Layout; from storage.locks import holding\n"
    "with holding(Layout(Path(sys.argv[1])), 'demo'):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@contextmanager
def other_process(layout: Layout) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock 'demo' until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(layout.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_holder_is_named_with_its_time(layout: Layout) -> None:
    with other_process(layout) as process, pytest.raises(WorkspaceLocked) as caught, holding(layout, "demo"):
        pass
    expected = rf"'demo' is in use by process {process.pid} on \S+ since \d{{4}}-\d\d-\d\dT\S+: wait for it, or stop"
    assert re.search(expected, str(caught.value))


def test_a_killed_holder_frees_the_lock(layout: Layout) -> None:
    with other_process(layout) as process:
        process.kill()
        process.wait()
        with holding(layout, "demo"):
            pass


def test_one_may_wait_for_the_holder(layout: Layout) -> None:
    with other_process(layout) as process:
        assert process.stdin
        process.stdin.close()
        with holding(layout, "demo", wait_s=60):
            pass


def test_other_names_are_free(layout: Layout) -> None:
    with other_process(layout), holding(layout, "meld"), holding(layout, WAREHOUSE):
        pass


def test_a_lock_can_be_held_again_after_an_error(layout: Layout) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), holding(layout, "demo"):
            raise ZeroDivisionError


def test_the_same_process_cannot_hold_it_twice(layout: Layout) -> None:
    with holding(layout, "demo"), pytest.raises(WorkspaceLocked, match="in use by process"), holding(layout, "demo"):
        pass


def test_no_run_can_have_the_name_of_the_warehouse() -> None:
    assert not safe_name(WAREHOUSE)


def test_a_held_lock_can_be_seen(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert not is_held(layout.lock("x"))
    with holding(layout, "demo"):
        assert is_held(layout.lock("demo"))
    assert not is_held(layout.lock("demo"))
