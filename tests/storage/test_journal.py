"""JSON lines: what, where, whole, and nothing that stops a run."""

from __future__ import annotations

import json
import logging
import threading
from contextvars import copy_context
from pathlib import Path

import pytest

from storage import journal
from storage.layout import Layout

log = logging.getLogger("tasks.tests")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_a_line_says_where_it_comes_from(layout: Layout) -> None:
    with journal.keeping(layout, "demo-1"), journal.about(run_id="demo-1", attempt=2):
        with journal.about(stage="captions", shard=3):
            log.info("done: %d rows", 7, extra={"facts": {"rows": 7}})
        log.debug("not kept")
        logging.getLogger("elsewhere").info("not kept either")
        logging.getLogger("elsewhere").warning("kept")
    log.info("after the end")
    first, second = journal.lines(layout, "demo-1")
    assert first.pop("at").endswith("+00:00")
    assert first.pop("pid")
    assert first == {
        **{"level": "INFO", "run_id": "demo-1", "attempt": 2, "stage": "captions", "shard": 3},
        **{"logger": "tasks.tests", "message": "done: 7 rows", "rows": 7},
    }
    assert (second["message"], second["stage"]) == ("kept", None)
    assert (journal.last(layout, "demo-1") or {})["message"] == "kept"
    (only,) = journal.lines(layout, "demo-1", shard=3)
    assert only["message"] == first["message"]
    assert list(journal.lines(layout, "demo-1", attempt=1)) == []


def test_an_error_brings_its_traceback(layout: Layout) -> None:
    with journal.keeping(layout, "demo-1"):
        try:
            raise ValueError("no such row")
        except ValueError as error:
            log.error("failed", exc_info=error)
    (line,) = journal.lines(layout, "demo-1")
    assert line["traceback"].endswith("ValueError: no such row\n")


def test_threads_with_their_starters_context_say_the_same(layout: Layout) -> None:
    with journal.keeping(layout, "demo-1"), journal.about(run_id="demo-1", stage="captions", shard=1):
        threads = [
            threading.Thread(target=copy_context().run, args=(logging.getLogger("model").warning, f"{number}" * 2000))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(line["message"][0] for line in journal.lines(layout, "demo-1", shard=1)) == list("01234567")


def test_another_runs_lines_are_not_ours(layout: Layout) -> None:
    with journal.keeping(layout, "demo-1"), journal.keeping(layout, "demo-2"), journal.about(run_id="demo-2"):
        log.warning("of the second")
    assert list(journal.lines(layout, "demo-1")) == []
    assert len(list(journal.lines(layout, "demo-2"))) == 1


def test_kept_twice_is_one_line_and_levels_come_back(layout: Layout) -> None:
    before = logging.getLogger("tasks").level
    with journal.keeping(layout, "demo-1"):
        with journal.keeping(layout, "demo-1"):
            log.info("one")
        log.info("two")
    assert [line["message"] for line in journal.lines(layout, "demo-1")] == ["one", "two"]
    assert logging.getLogger("tasks").level == before


def test_what_a_kill_cut_off_is_left_out(layout: Layout) -> None:
    with journal.keeping(layout, "demo-1"):
        log.info("whole")
    path = layout.log("demo-1")
    path.write_bytes(path.read_bytes() + b'{"message": "ha')
    assert [line["message"] for line in journal.lines(layout, "demo-1")] == ["whole"]
    found = journal.last(layout, "demo-1")
    assert found
    assert found["message"] == "whole"
    path.write_text(json.dumps([1]) + "\n\n")
    assert journal.last(layout, "demo-1") is None
    assert journal.last(layout, "never") is None
    assert list(journal.lines(layout, "never")) == []


def test_a_log_that_cannot_be_written_stops_nothing(layout: Layout) -> None:
    layout.log("demo-1").parent.write_text("a file where the folder should be")
    with journal.keeping(layout, "demo-1"):
        log.info("lost")
    assert list(journal.lines(layout, "demo-1")) == []


def test_warnings_still_reach_the_terminal(
    layout: Layout, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest listens there
    with journal.keeping(layout, "demo-1"):
        log.info("for the file")
        log.warning("for both")
        log.error("told by its command", extra={"facts": {}})
    assert capsys.readouterr().err == "for both\n"
    assert len(list(journal.lines(layout, "demo-1"))) == 3
