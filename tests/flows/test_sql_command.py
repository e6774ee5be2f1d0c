"""`dialoguellm sql`: every form, bound parameters, limits, and nothing that a terminal would obey."""

from __future__ import annotations

import csv
import io
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from finished_run import write
from typer.testing import CliRunner

from flows.cli import app
from flows.sql_command import parameters
from model.atomic import write_json
from model.dialogue import Rejected
from model.errors import DialogueError, SettingsError
from storage.layout import FORMAT, Layout
from storage.warehouse import publish

Ask = Callable[..., bytes]
HOSTILE = "a\x1b[2J\x07<b>\u202e\r\nz"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published workspace with ten thousand rejects and one of a hostile text."""
    layout = Layout(tmp_path_factory.mktemp("sql") / "workspace")
    many = [Rejected(f"demo/train/x/{n}", "captions", "no_frames", "why") for n in range(9_999)]
    publish(layout, [write(layout, captions=[*many, Rejected("demo/train/y/0", "captions", "odd", HOSTILE)])])
    write_json(layout.version_file, {"format": FORMAT})
    return layout.root


@pytest.fixture
def ask(root: Path) -> Ask:
    def invoke(*arguments: str, given: str | None = None) -> bytes:
        found = CliRunner().invoke(app, ["sql", *arguments, "-w", str(root)], input=given)
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found.stdout_bytes

    return invoke


def test_every_form_has_the_same_rows(ask: Ask) -> None:
    query = "select stage, shards, seconds, [1, 2] as list, 'a\"b' as text from stages order by position limit 2"
    (first, second) = json.loads(ask(query, "--json"))
    assert first == {"stage": "ingest", "shards": 1, "seconds": 2.0, "list": [1, 2], "text": 'a"b'}
    assert list(csv.reader(io.StringIO(ask(query, "--csv").decode())))[2] == ["keyframes", "1", "2.0", "[1, 2]", 'a"b']
    assert pq.read_table(io.BytesIO(ask(query, "--parquet"))).to_pylist() == [first, second]
    assert b"ingest" in ask(query)


def test_without_a_query_the_tables_are_listed(ask: Ask) -> None:
    names = {row["name"] for row in json.loads(ask("--json"))}
    assert {"scores", "lineage", "captions", "captions_history", "keys", "runs", "pictures"} < names


def test_a_query_from_a_file_or_standard_input(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "query.sql"
    path.write_text("-- a comment\nselect $name as name;\n")
    assert json.loads(ask("-f", str(path), "-p", "name=x", "--json")) == [{"name": "x"}]
    assert json.loads(ask("-", "--json", given="select 1 as one")) == [{"one": 1}]
    with pytest.raises(SettingsError, match="not both"):
        ask("select 1", "--file", str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"query\.sql cannot be read as a query"):
        ask("--file", str(path))


def test_parameters_are_bound_and_never_spliced(ask: Ask) -> None:
    evil = "x'; drop table runs; --"
    query = "select $text as text, $number + 1 as next from runs where run_id = $run"
    found = ask(query, "-p", f"text={evil}", "-p", "number=41", "-p", "run=demo-1", "--json")
    assert json.loads(found) == [{"text": evil, "next": 42}]
    assert parameters(["a=1", 'b="1"', "c=null", "d=", "e=1=2", "f=[1]"]) == {
        **{"a": 1, "b": "1", "c": None, "d": "", "e": "1=2", "f": "[1]"}
    }
    for bad in ("novalue", "=x", "a-b=1"):
        with pytest.raises(SettingsError, match=r"is not name=value"):
            ask("select 1", "-p", bad)
    with pytest.raises(DialogueError, match="run"):
        ask("select $run")


def test_limits_are_what_was_asked_for(ask: Ask) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(DialogueError, match=r"stopped after 0\.3 s: .*--seconds"):
        ask("select count(*) from range(10000000) a, range(10000000) b", "--seconds", "0.3")
    with pytest.raises(DialogueError, match="Out of Memory"):
        ask("select list(range) from range(30000000)", "--memory", "50MB")
    with pytest.raises(SettingsError, match=r"'much' is no amount of memory: for example, 500MB"):
        ask("select 1", "--memory", "much")
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_ten_thousand_rejects_are_there(ask: Ask) -> None:
    assert json.loads(ask("select count(*) as n from rejects", "--json")) == [{"n": 10_000}]
    assert len(ask("from rejects", "--csv").splitlines()) == 10_002  # one of them has a line break


def test_a_table_for_people_says_what_it_leaves_out(root: Path) -> None:
    found = CliRunner().invoke(app, ["sql", "select utterance_id from rejects", "-w", str(root)])
    assert "the first 1,000 of 10,000 rows: --csv or --json prints all" in found.stderr
    assert 1_000 < len(found.stdout.splitlines()) < 1_010


def test_text_from_outside_cannot_steer_a_terminal(ask: Ask) -> None:
    query = f"select detail, detail as \"{HOSTILE[:5]}\" from rejects where reason = 'odd'"
    table, listed = ask(query).decode(), ask(query, "--json").decode()
    for control in ("\x1b", "\x07", "\r", "\u202e"):
        assert control not in table
        assert control not in listed
    assert json.loads(listed)[0]["detail"] == HOSTILE


def test_pictures_are_counted_in_a_table_and_whole_elsewhere(ask: Ask) -> None:
    query = "select jpeg from pictures where rank = 0"
    assert b"256 bytes" in ask(query)
    assert json.loads(ask(query, "--json"))[0]["jpeg"].startswith("AAECAw")
    assert pq.read_table(io.BytesIO(ask(query, "--parquet")))["jpeg"][0].as_py() == bytes(range(256))


def test_a_prompt_takes_no_query(ask: Ask) -> None:
    with pytest.raises(SettingsError, match="--prompt takes no query"):
        ask("select 1", "--prompt")


def test_the_command_alone_loads_little(root: Path) -> None:
    script = (
        "import sys; from flows.cli import app\n"
        f"app(['sql', 'select 1', '-w', {str(root)!r}], standalone_mode=False)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "duckdb" in found
    assert not {"prefect", "torch", "transformers", "prompt_toolkit"} & {*found.split()}
