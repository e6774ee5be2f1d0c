"""Tables for people, CSV and JSON for programs; nothing from outside obeyed by a terminal."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from flows.output import Format, emit, printable, printable_lines, reader

HOSTILE = "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x9b2J \u202egnp.exe \r\x08\x7f\ud800 [bold]markup[/] [/nothing]"
COLUMNS = ("name", "value")


def emitted(capsys: pytest.CaptureFixture[str], rows: Any, form: Format, **options: Any) -> str:
    emit(COLUMNS, rows, form, **options)
    return capsys.readouterr().out


def controls(text: str) -> set[str]:
    return {char for char in text if not char.isprintable() and char != "\n"}


# ---- text


def test_controls_are_shown_and_not_obeyed() -> None:
    assert printable("\x1b[31mred\u202e") == "�[31mred�"
    assert controls(printable(HOSTILE)) == set()
    assert printable("two\nlines\tand a tab") == "two lines and a tab"
    assert printable("naïve 🙂 “quotes”") == "naïve 🙂 “quotes”"


def test_a_message_keeps_its_lines() -> None:
    assert printable_lines("first\n  second\x1b[2J") == "first\n  second�[2J"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (0.5, "0.5"),
        (1 / 3, "0.333333"),
        (12345.5, "12345.5"),
        (7, "7"),
        (True, "True"),
    ],
)
def test_values_are_plain_text(value: object, text: str) -> None:
    assert printable(value) == text


# ---- tables


def test_a_table_shows_every_cell_and_its_title(capsys: pytest.CaptureFixture[str]) -> None:
    out = emitted(capsys, [["accuracy", 0.5], ["missing", None]], Format.table, title="a title")
    for text in ("a title", "name", "value", "accuracy", "0.5", "missing"):
        assert text in out


@pytest.mark.parametrize("where", ["cell", "title"])
def test_a_table_neutralises_what_comes_from_outside(capsys: pytest.CaptureFixture[str], where: str) -> None:
    rows = [[HOSTILE if where == "cell" else "x", 1]]
    out = emitted(capsys, rows, Format.table, title=HOSTILE if where == "title" else None).replace("\n", "")
    assert controls(out) == set()
    assert "[bold]markup[/" in out
    assert "[/nothing]" in out


def test_column_names_are_neutralised_too(capsys: pytest.CaptureFixture[str]) -> None:
    emit(["a\x1b[2J[/x]"], [["1"]], Format.table)
    out = capsys.readouterr().out
    assert controls(out) == set()
    assert "[/x]" in out


def test_long_cells_are_folded_and_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(chr(ord("a") + n % 26) for n in range(400))
    out = emitted(capsys, [[text, 1]], Format.table)
    assert text in "".join(line.split()[0] for line in out.splitlines()[3:] if line.split())


def test_no_rows_are_a_header(capsys: pytest.CaptureFixture[str]) -> None:
    assert "name" in emitted(capsys, [], Format.table)
    assert emitted(capsys, [], Format.csv).splitlines() == ["name,value"]
    assert json.loads(emitted(capsys, [], Format.json)) == []


def test_the_first_column_is_coloured_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["error", "error"], ["\x1b[31mred", 1]]
    colours = {"error": "red"}
    assert "\x1b" not in emitted(capsys, rows, Format.table, colours=colours)
    plain = [emitted(capsys, rows, form) for form in (Format.csv, Format.json)]
    assert [emitted(capsys, rows, form, colours=colours) for form in (Format.csv, Format.json)] == plain
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    out = emitted(capsys, rows, Format.table, colours=colours)
    assert out.count("\x1b[31merror") == 1
    assert "�[31mred" in out


# ---- CSV and JSON


def test_csv_is_read_back_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [['with "quotes", commas\nand lines', "1.5"], ["", "naïve 🙂"]]
    out = emitted(capsys, rows, Format.csv)
    assert list(csv.reader(io.StringIO(out))) == [list(COLUMNS), *rows]


def test_csv_holds_file_names_in_other_encodings(capsys: pytest.CaptureFixture[str]) -> None:
    assert "caf?.mp4,1" in emitted(capsys, [["caf\udce9.mp4", 1]], Format.csv)


def test_csv_on_a_terminal_is_neutralised(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    out = emitted(capsys, [["\x1b[2J", 1]], Format.csv)
    assert "\x1b" not in out
    assert "�[2J,1" in out


def test_json_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    out = emitted(capsys, [["\x1b[2J ü", 0.1], [None, [1, {"a": 2}]]], Format.json)
    assert controls(out) == set()
    assert json.loads(out) == [{"name": "\x1b[2J ü", "value": 0.1}, {"name": None, "value": [1, {"a": 2}]}]


def test_json_has_no_nan_and_writes_times_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    rows = [["nan", float("nan")], ["inf", float("-inf")], ["time", datetime(2026, 1, 2, tzinfo=UTC)]]
    found = json.loads(emitted(capsys, rows, Format.json), parse_constant=refuse)
    assert [row["value"] for row in found] == [None, None, "2026-01-02 00:00:00+00:00"]


# ---- the options of a reading command


def application() -> typer.Typer:
    app = typer.Typer()

    @app.command()
    @reader
    def show(name: Annotated[str, typer.Argument()], times: int = 1, *, form: Format) -> None:
        """Show a name."""
        emit(COLUMNS, [[name, times]], form)

    return app


@pytest.mark.parametrize(("option", "start"), [("--json", "["), ("--csv", "name,value")])
def test_a_reader_has_forms(option: str, start: str) -> None:
    found = CliRunner().invoke(application(), ["Ana", "--times", "3", option])
    assert found.exit_code == 0
    assert found.output.startswith(start)
    assert "Ana" in found.output
    assert "3" in found.output


def test_a_table_is_the_default() -> None:
    plain, table = (CliRunner().invoke(application(), ["Ana", *options]).output for options in ([], ["--table"]))
    assert plain == table
    assert "Ana" in plain


def test_a_reader_refuses_two_forms() -> None:
    found = CliRunner().invoke(application(), ["Ana", "--csv", "--json"])
    assert found.exit_code == 2
    assert "choose one" in found.output


def test_texts_that_a_spreadsheet_would_run_are_told_of_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    cells = ["=HYPERLINK(1)", "@SUM(A1)", "+1 to that", "- no", "\t=1+1", "-0.5", "+3e5", "a=b", "", None, -1.5, b"=1"]
    emit(COLUMNS, [(cell, "x") for cell in cells], Format.csv)
    printed = capsys.readouterr()
    assert [row[0] for row in csv.reader(io.StringIO(printed.out))][1:6] == cells[:5]
    said = "5 texts of this CSV with the beginning of a formula (=, +, -, @): a spreadsheet runs such"
    assert printed.err == f"{said}, unless their columns are imported as text\n"
    emit(COLUMNS, [("plain", "-")], Format.json)
    emit(COLUMNS, [("plain", "-1")], Format.csv)
    assert capsys.readouterr().err == ""
