"""The prompt of `dialoguellm sql --prompt`: prompt_toolkit's editing, history, completion and colours."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from flows.output import printable_lines
from model.errors import DialogueError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.key_binding import KeyBindings

KEYWORDS = (
    *("select", "from", "where", "group by", "order by", "limit", "join", "left join", "using", "with", "having"),
    *("count(*)", "avg", "sum", "min", "max", "round", "distinct", "union", "describe", "summarize", "is null"),
)
HELP = """A query ends with ; and may take several lines. Tab completes, Up brings back earlier ones, Ctrl-C stops one.
.tables   the tables and views        .help   this text        .quit (or Ctrl-D)   the end"""
_LIST = "SELECT table_name AS name, lower(table_type) AS kind FROM information_schema.tables ORDER BY kind, name"


def converse(ask: Callable[[str], None], names: Sequence[str], session: PromptSession[str] | None = None) -> None:
    """Asks for queries and answers them until the end; each sees the results as they are then.

    ``ask`` prints an answer or raises DialogueError. ``names`` of tables and columns are completed.
    """
    typer.echo("Read-only. Queries end with ; and .help tells more.")
    session = session or _session(names)
    while True:
        try:
            text = session.prompt("sql> ").strip()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        if text in (".quit", ".exit"):
            return
        if text == ".help":
            typer.echo(HELP)
        elif text:
            _answer(ask, _LIST if text == ".tables" else text)


def history_file() -> Path:
    """Where earlier queries are kept: the user's own state folder, not the workspace."""
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "dialoguellm" / "sql-history"


def _answer(ask: Callable[[str], None], text: str) -> None:
    started = time.monotonic()
    try:
        ask(text)
        typer.echo(f"{time.monotonic() - started:.2f} s")
    except DialogueError as error:
        typer.echo(printable_lines(str(error)), err=True)
    except (KeyboardInterrupt, RuntimeError):  # DuckDB makes the former the latter
        typer.echo("stopped", err=True)


def _session(names: Sequence[str], **options: Any) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.lexers import PygmentsLexer
    from pygments.lexers.sql import SqlLexer

    path = history_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return PromptSession(
        history=FileHistory(str(path)),
        completer=WordCompleter([*names, *KEYWORDS], ignore_case=True),
        auto_suggest=AutoSuggestFromHistory(),
        lexer=PygmentsLexer(SqlLexer),
        multiline=True,
        key_bindings=_keys(),
        prompt_continuation="...> ",
        **options,
    )


def _keys() -> KeyBindings:
    """Enter ends a query that ends with ; and a command of the prompt; elsewhere it begins a new line."""
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    def enter(event: Any) -> None:
        text = event.current_buffer.text.strip()
        if not text or text.endswith(";") or text.startswith("."):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    keys.add("enter")(enter)
    return keys
