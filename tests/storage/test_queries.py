"""Reading results.duckdb: read-only, no file outside the lake, a snapshot that stays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from finished_run import ask, write

from model.errors import DialogueError, WorkspaceError
from storage.layout import Layout
from storage.queries import connect, query
from storage.warehouse import publish

REFUSED = [
    "INSERT INTO runs (run_id, name) VALUES ('x', 'x')",
    "DELETE FROM runs",
    "CREATE TABLE evil AS SELECT 1",
    "CREATE TEMP TABLE evil AS SELECT 1",
    "CREATE OR REPLACE VIEW scores AS SELECT 1",
    "DROP TABLE runs",
    "ATTACH '{outside}/other.duckdb' AS other",
    "ATTACH ':memory:' AS other",
    "COPY (SELECT 1) TO '{outside}/evil.csv'",
    "COPY (SELECT 1) TO '{lake}/evil.csv'",
    "COPY runs FROM '/etc/passwd'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/evil.csv'",
    "SELECT 1; COPY (SELECT 1) TO '{lake}/evil.csv'",
    "COPY (PIVOT runs ON name USING count(*)) TO '{lake}/evil.csv'",
    "/* SELECT */ COPY (SELECT 1) TO '{lake}/evil.csv'",
    "EXPORT DATABASE '{lake}/evil'",
    "PREPARE p AS COPY (SELECT 1) TO '{lake}/evil.csv'",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('{outside}/secret')",
    "SELECT * FROM read_text('{lake}/../../secret')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '1TB'",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_directories",
    "PRAGMA memory_limit = '1TB'",
    "CALL enable_logging()",
    "SELECT * FROM python_variable",
    "SELECT 1; SELECT 2",
    "SELECT FROM WHERE",
    "SELECT * FROM nothing_here",
    "",
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """A published workspace that only readers use, with a file beside it that nobody may read."""
    layout = Layout(tmp_path_factory.mktemp("shared") / "workspace")
    publish(layout, [write(layout)])
    (layout.root.parent / "secret").write_text("secret")
    return layout


@pytest.fixture
def published(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "workspace")
    publish(layout, [write(layout)])
    return layout


# ---- what is allowed


@pytest.mark.parametrize("text", REFUSED)
def test_only_reading_is_allowed(shared: Layout, text: str) -> None:
    outside = shared.root.parent
    before = sorted(outside.rglob("*"))
    python_variable = [1, 2, 3]  # noqa: F841
    with connect(shared) as connection, pytest.raises(DialogueError):
        query(connection, text.format(outside=outside, lake=shared.lake))
    assert sorted(outside.rglob("*")) == before


@pytest.mark.parametrize("text", [text for text in REFUSED if text.startswith(("INSERT", "SELECT *", "ATTACH", "SET"))])
def test_the_connection_itself_refuses_too(shared: Layout, text: str) -> None:
    if ":memory:" in text:
        return  # a database of nothing is no harm to anything, and ``query`` refuses it
    with connect(shared) as connection, pytest.raises(duckdb.Error):
        connection.execute(text.format(outside=shared.root.parent, lake=shared.lake))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "FROM runs",
        "VALUES (1)",
        "WITH x AS (SELECT 1) FROM x",
        "DESCRIBE runs",
        "SUMMARIZE runs",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM lineage",
        "EXPLAIN ANALYZE FROM runs",
        "PIVOT metrics ON metric USING max(value) GROUP BY run_id",
        "SELECT now(), current_date",
        "SELECT 'copy to' AS text",
        "SELECT * FROM read_parquet('{lake}/captions/*/part-*.parquet')",
    ],
)
def test_every_kind_of_query_is_answered(shared: Layout, text: str) -> None:
    with connect(shared) as connection:
        columns, rows = query(connection, text.format(lake=shared.lake))
    assert columns
    assert rows


def test_a_query_has_parameters_and_column_names(shared: Layout) -> None:
    with connect(shared) as connection:
        columns, rows = query(connection, "SELECT ? AS a, 2 AS b", ["x'; DROP TABLE runs"])
    assert (columns, rows) == (["a", "b"], [("x'; DROP TABLE runs", 2)])


# ---- one writer, many readers


READER = (
    "import sys; from pathlib import Path; from storage.layout import Layout; from storage.queries import connect\n"
    "connection = connect(Layout(Path(sys.argv[1])))\n"
    "for line in sys.stdin: print(connection.execute('SELECT count(*) FROM runs').fetchone()[0], flush=True)\n"
)


@contextmanager
def reader(layout: Layout) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", READER, str(layout.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def count(process: subprocess.Popen[str]) -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write("count\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


def test_a_reader_keeps_its_snapshot_and_blocks_nobody(published: Layout) -> None:
    with reader(published) as process:
        assert count(process) == "1"
        publish(published, [write(published, "demo-2")])
        assert count(process) == "1"
        assert ask(published, "SELECT count(*) FROM runs") == [(2,)]


# ---- what is broken


def test_without_a_database_the_message_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"is not there yet: .*warehouse rebuild"):
        connect(Layout(tmp_path))


def test_a_moved_workspace_asks_for_a_rebuild(published: Layout) -> None:
    moved = Layout(published.root.rename(published.root.with_name("moved")))
    with pytest.raises(WorkspaceError, match=r"was moved since its last run: `dialoguellm warehouse rebuild`"):
        connect(moved)
    publish(moved, [write(moved)], rebuild=True)
    assert len(ask(moved, "FROM utterances")) == 2


@pytest.mark.parametrize("damage", [b"", b"noise" * 5000, "cut"])
def test_a_damaged_database_is_one_message(published: Layout, damage: bytes | str) -> None:
    whole = published.database.read_bytes()
    published.database.write_bytes(whole[: len(whole) // 2] if isinstance(damage, str) else damage)
    with pytest.raises(DialogueError, match=r"warehouse rebuild|query failed"):
        ask(published, "SELECT * FROM shards")
