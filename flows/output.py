"""What every reading command prints: a table for people, or CSV or JSON for programs."""

from __future__ import annotations

import csv
import functools
import inspect
import json
import math
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


SHOWN = 1_000
"""Rows of a table for people."""

_FLAGS = {
    "as_table": ("--table", "Print a table (the default)."),
    "as_csv": ("--csv", "Print CSV."),
    "as_json": ("--json", "Print JSON."),
}


def reader(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command the options --table, --csv and --json in place of its parameter ``form``."""

    @functools.wraps(command)
    def wrapped(
        *args: Any, as_table: bool = False, as_csv: bool = False, as_json: bool = False, **options: Any
    ) -> None:
        if as_table + as_csv + as_json > 1:
            raise typer.BadParameter("choose one of --table, --csv and --json")
        form = Format.csv if as_csv else Format.json if as_json else Format.table
        command(*args, form=form, **options)

    signature = inspect.signature(command, eval_str=True)
    kept = [parameter for name, parameter in signature.parameters.items() if name != "form"]
    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=False,
            annotation=Annotated[bool, typer.Option(flag, help=text)],
        )
        for name, (flag, text) in _FLAGS.items()
    ]
    wrapped.__signature__ = signature.replace(parameters=[*kept, *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *added)}
    return wrapped


def emit(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    form: Format,
    *,
    title: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Prints rows on standard output. Text from outside cannot move the cursor or colour the terminal.

    ``colours`` gives styles to values of the first column, in a table on a terminal.
    """
    if form is Format.json:
        plain = [{name: _json(value) for name, value in zip(columns, row, strict=True)} for row in rows]
        json.dump(plain, sys.stdout, indent=1, default=str)
        sys.stdout.write("\n")
    elif form is Format.csv:
        emit_csv(columns, [rows])
    else:
        _table(columns, rows[:SHOWN], title, colours or {})
        if len(rows) > SHOWN:
            print(f"the first {SHOWN:,} of {len(rows):,} rows: --csv or --json prints all", file=sys.stderr)


def emit_csv(columns: Sequence[str], batches: Iterable[Sequence[Sequence[Any]]]) -> None:
    """Prints rows as CSV, batch by batch as they come. Says so where a spreadsheet would run a text as a formula."""
    writer = csv.writer(sys.stdout)
    show = printable if sys.stdout.isatty() else _encodable
    formulas = 0
    writer.writerow([show(name) for name in columns])
    for rows in batches:
        formulas += sum(isinstance(cell, str) and _is_formula(cell) for line in rows for cell in line)
        writer.writerows(
            [show(_text(cell)) if isinstance(cell, str | bytes) else cell for cell in line] for line in rows
        )
    if formulas:
        said = f"{counted(formulas, 'text')} of this CSV with the beginning of a formula (=, +, -, @)"
        warn(f"{said}: a spreadsheet runs such, unless their columns are imported as text")


def warn(text: str) -> None:
    """One line beside what is printed, on standard error."""
    print(printable(text), file=sys.stderr)


def counted(number: int, noun: str) -> str:
    """ "1 shard", "2 shards"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def printable(value: Any) -> str:
    """A value as plain text of one line: control characters, which terminals obey, are shown as �."""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def printable_lines(text: str) -> str:
    """The same for a text that keeps its lines, such as a message or a traceback."""
    return "\n".join(printable(line) for line in text.split("\n"))


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet that opens a CSV file takes the text for a program, and it is no number."""
    if not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return False


def _text(value: str | bytes) -> str:
    """Text as it is; bytes, such as a picture's, as base64."""
    return b64encode(value).decode() if isinstance(value, bytes) else value


def _encodable(text: str) -> str:
    """The text, with "?" for what UTF-8 cannot hold: bytes of a file name in another encoding."""
    return text.encode("utf-8", "replace").decode()


def _json(value: Any) -> Any:
    """JSON knows neither NaN nor infinity nor bytes, and of names only text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, dict):
        return {str(name): _json(item) for name, item in value.items()}
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value


def _table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str | None, colours: Mapping[str, str]
) -> None:
    console().print(table_of(columns, rows, title, colours))


def console() -> Console:
    """Standard output; 160 columns where it is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 160)


def table_of(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    title: str | None = None,
    colours: Mapping[str, str] | None = None,
) -> Table:
    """Rows as ``emit`` shows them, to be printed by rich."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    heading = None if title is None else Text(printable(title))
    table = Table(title=heading, box=SIMPLE_HEAD, title_justify="left", header_style="bold", pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
        table.add_column(Text(printable(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        first, *rest = (Text(printable(value)) for value in row)
        first.stylize((colours or {}).get(first.plain, ""))
        table.add_row(first, *rest)
    return table
