"""The prompt: several lines to a query, earlier ones, completion, an error that does not end it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prompt_toolkit", reason="the prompt's library")

from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from flows import sql_prompt
from model.errors import DialogueError

NAMES = ["scores", "lineage", "run_id"]
CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return


def typed(text: str, ask: Any = None) -> list[str]:
    """The queries that a person's keys ask."""
    asked: list[str] = []
    with create_pipe_input() as keys:
        keys.send_text(text)
        session = sql_prompt._session(NAMES, input=keys, output=DummyOutput())
        sql_prompt.converse(ask or asked.append, NAMES, session)
    return asked


def test_a_query_ends_with_a_semicolon() -> None:
    assert typed("select 1;\rselect\r2;\r" + CTRL_D) == ["select 1;", "select\n2;"]


def test_queries_are_kept_for_later_sessions() -> None:
    typed("select 1;\r" + CTRL_D)
    path = sql_prompt.history_file()
    assert "+select 1;" in path.read_text().splitlines()
    assert path.stat().st_mode & 0o777 == 0o600


def test_commands_of_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    (tables,) = typed(".help\r.tables\r\r.quit\rselect 1;\r")
    assert "information_schema.tables" in tables
    assert "Ctrl-C stops" in capsys.readouterr().out


def test_an_error_ends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def fail(text: str) -> None:
        asked.append(text)
        raise KeyboardInterrupt if len(asked) > 1 else DialogueError("no table \x1b[2Jscore")

    typed("a;\rb;\rc;\r" + CTRL_C + CTRL_D, fail)
    said = capsys.readouterr().err
    assert asked == ["a;", "b;", "c;"]
    assert "no table" in said
    assert "stopped" in said
    assert "\x1b" not in said


def test_names_and_keywords_are_completed() -> None:
    from prompt_toolkit.completion import CompleteEvent
    from prompt_toolkit.document import Document

    with create_pipe_input() as keys:
        session = sql_prompt._session(NAMES, input=keys, output=DummyOutput())
    found = session.completer.get_completions(Document("select * from sc"), CompleteEvent())
    assert [item.text for item in found] == ["scores"]
