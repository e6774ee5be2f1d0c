"""Every known error is one message and an exit code."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import typer

from flows import cli
from model.errors import RunFailed, SettingsError, WorkspaceError


def end(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException) -> tuple[Any, str]:
    """Exit code and standard error of a command that raises ``error``."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr("sys.argv", ["dialoguellm"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return caught.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (WorkspaceError("no workspace"), 1, "dialoguellm: no workspace\n"),
        (SettingsError("x has 2 faults:\n  a\n  b"), 2, "dialoguellm: x has 2 faults:\n  a\n  b\n"),
        (RunFailed("failed"), 1, "dialoguellm: failed\n"),
        (RunFailed("rejects", exit_code=3), 3, "dialoguellm: rejects\n"),
        (KeyboardInterrupt(), 130, "dialoguellm: interrupted: the same command goes on where it stopped\n"),
        (WorkspaceError("bad \x1b[2J name"), 1, "dialoguellm: bad �[2J name\n"),
    ],
)
def test_an_error_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    assert end(monkeypatch, capsys, error) == (code, said)


@pytest.mark.parametrize(
    ("number", "hint"), [(errno.ENOSPC, "free some space"), (errno.EACCES, "check the path and its permissions")]
)
def test_an_error_of_the_machine_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, hint: str
) -> None:
    code, said = end(monkeypatch, capsys, OSError(number, "what", "file"))
    assert code == 1
    assert hint in said
    assert "'file'" in said
    assert "what is finished is kept" in said


def test_an_exit_code_of_its_own_stays(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert end(monkeypatch, capsys, typer.Exit(7)) == (7, "")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        end(monkeypatch, capsys, ZeroDivisionError())
