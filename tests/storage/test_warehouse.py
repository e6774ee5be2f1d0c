"""results.duckdb: published whole, read-only, over the finished shards of the lake."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from example_rows import FIRST, ROWS, SECOND

from model.dialogue import Metric, Rejected
from model.errors import DialogueError, WorkspaceError
from storage.layout import Layout
from storage.shards import write_shard
from storage.warehouse import LAKE_VIEWS, RunFacts, connect, publish, query

STAGES = {
    "ingest": "utterances",
    "keyframes": "keyframes",
    "captions": "captions",
    "instructions": "instructions",
    "finetune": "training_log",
    "evaluate": "predictions",
    "score": "metrics",
}
SCORES = [Metric("test", "tuned", name, None, None, value) for name, value in (("accuracy", 0.5), ("support", 2.0))]
QUESTIONS = ("scores", "confusions", "wrong_predictions", "lineage", "rejected", "stage_costs")
TABLES = ("runs", "attempts", "stages", "shards", "predictions", "metrics", "test_reads")


def write(layout: Layout, run_id: str = "demo-1", **more: list[Any]) -> RunFacts:
    """The lake and the facts of a finished run; ``more`` adds rows to what a stage yields."""
    shards: list[dict[str, Any]] = []
    stages: list[dict[str, Any]] = []
    for position, (stage, table) in enumerate(STAGES.items()):
        key = f"key-{stage}"
        rows = [*(SCORES if stage == "score" else ROWS[table]), *more.get(stage, [])]
        manifest = write_shard(layout, table, key, 0, rows, {})
        about = {"run_id": run_id, "stage": stage, "stage_key": key, "row_count": manifest["rows"], "seconds": 2.0}
        about |= {name: manifest[name] for name in ("rejects", "bytes")}
        shards.append({**about, "shard": 0, "state": "done", "sha256": manifest["sha256"], "error": None})
        stages.append({**about, "position": position, "output": table, "shards": 1, "done": 1, "settings": {"a": [1]}})
    time = "2026-01-02T03:04:05.678+00:00"
    attempt = {"run_id": run_id, "attempt": 1, "parent": None, "state": "completed", "started_at": time, "pending": {}}
    read = {"run_id": run_id, "attempt": 1, "stage": "evaluate", "read_at": time, "why": "run", "shards": 1}
    run = {"run_id": run_id, "name": "demo", "created_at": time, "machine": {"cpus": 2}, "settings": {}}
    tables: dict[str, list[dict[str, Any]]] = {
        "runs": [run],
        "attempts": [attempt],
        "stages": stages,
        "shards": shards,
        "test_reads": [read],
    }
    files = {"predictions": [layout.part("predictions", "key-evaluate", 0)]}
    return RunFacts(run_id, tables, {**files, "metrics": [layout.part("metrics", "key-score", 0)]})


def ask(layout: Layout, text: str) -> list[tuple[Any, ...]]:
    with connect(layout) as connection:
        return query(connection, text)[1]


def contents(layout: Layout) -> dict[str, list[str]]:
    return {name: sorted(map(repr, ask(layout, f"FROM {name}"))) for name in (*TABLES, *LAKE_VIEWS, *QUESTIONS)}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "workspace")


@pytest.fixture
def published(layout: Layout) -> Layout:
    publish(layout, [write(layout, captions=[Rejected("demo/train/x/9", "captions", "no_frames", "why")])])
    return layout


# ---- publishing


def test_publishing_twice_changes_nothing(layout: Layout) -> None:
    facts = write(layout)
    publish(layout, [facts])
    first = contents(layout)
    publish(layout, [facts])
    assert contents(layout) == first
    assert all(first[name] for name in (*TABLES, *LAKE_VIEWS) if name != "rejects")


def test_a_rebuilt_file_is_the_published_one(layout: Layout) -> None:
    one, two = write(layout), write(layout, "demo-2")
    publish(layout, [one])
    publish(layout, [two])
    published = contents(layout)
    layout.database.unlink()
    publish(layout, [one, two], rebuild=True)
    assert contents(layout) == published


def test_a_rebuild_forgets_runs_that_are_gone(layout: Layout) -> None:
    publish(layout, [write(layout), write(layout, "demo-2")])
    publish(layout, [write(layout, "demo-2")], rebuild=True)
    assert ask(layout, "SELECT run_id FROM runs") == [("demo-2",)]


def test_a_run_published_again_replaces_only_itself(layout: Layout) -> None:
    publish(layout, [write(layout), write(layout, "demo-2")])
    fewer = write(layout, "demo-2")
    publish(layout, [RunFacts("demo-2", {"runs": fewer.rows["runs"]}, {})])
    assert ask(layout, "SELECT run_id, count(*) FROM shards GROUP BY ALL") == [("demo-1", len(STAGES))]
    assert ask(layout, "SELECT DISTINCT run_id FROM predictions") == [("demo-1",)]
    assert ask(layout, "SELECT count(*) FROM runs") == [(2,)]


def test_everything_can_be_queried_before_the_first_row_exists(layout: Layout) -> None:
    publish(layout, [])
    assert all(rows == [] for rows in contents(layout).values())


def test_times_are_utc_and_records_are_json(published: Layout) -> None:
    text = "SELECT created_at::VARCHAR, machine->>'cpus', read_at::VARCHAR FROM runs JOIN test_reads USING (run_id)"
    assert ask(published, text) == [("2026-01-02 03:04:05.678", "2", "2026-01-02 03:04:05.678")]


def test_nothing_is_left_beside_the_file(published: Layout) -> None:
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}


def test_what_a_killed_publisher_left_is_removed(published: Layout) -> None:
    for name in (".results.duckdb.abc.tmp", ".results.duckdb.abc.tmp.wal"):
        (published.root / name).write_bytes(b"half")
    publish(published, [])
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}


@pytest.mark.parametrize("name", ["a[b]c", "st*r", "run=3", "it's", "two words", "ü", "$HOME", "--x"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path / name / "workspace")
    publish(layout, [write(layout)])
    assert ask(layout, "SELECT utterance_id FROM utterances ORDER BY turn") == [(FIRST,), (SECOND,)]
    assert len(ask(layout, "FROM predictions")) == len(ask(layout, "FROM lineage")) == 2


def test_an_error_that_is_no_unicode_is_published(layout: Layout) -> None:
    facts = write(layout)
    facts.rows["shards"][0]["error"] = "cannot read bad\udcffname.mp4"
    publish(layout, [facts])
    assert ask(layout, "SELECT error FROM shards WHERE error IS NOT NULL") == [("cannot read bad?name.mp4",)]


# ---- what is visible


def test_a_part_that_no_manifest_names_is_invisible(layout: Layout) -> None:
    facts = write(layout)
    for key, shard in (("key-captions", 1), ("unknown-key", 0)):
        write_shard(layout, "captions", key, shard, ROWS["captions"], {})
        layout.manifest("captions", key, shard).unlink()
    publish(layout, [facts])
    assert ask(layout, "SELECT DISTINCT stage_key, shard FROM captions") == [("key-captions", 0)]


@pytest.mark.parametrize("state", ["missing", "failed", "corrupt"])
def test_an_unfinished_shard_is_invisible(layout: Layout, state: str) -> None:
    facts = write(layout)
    for row in facts.rows["shards"]:
        row["state"] = state if row["stage"] == "captions" else "done"
    publish(layout, [facts])
    assert ask(layout, "FROM captions") == []
    assert len(ask(layout, "FROM keyframes")) == 2


def test_rows_shared_by_two_runs_are_there_once(layout: Layout) -> None:
    publish(layout, [write(layout), write(layout, "demo-2")])
    assert len(ask(layout, "FROM utterances")) == 2
    assert len(ask(layout, "FROM predictions")) == 4


# ---- the views that answer questions


def test_lineage_has_one_row_a_prediction(published: Layout) -> None:
    columns = "utterance_id, captions_key, caption, captioner, frame_times_s, prompt, speaker, adapter_key"
    rows = ask(published, f"SELECT {columns} FROM lineage ORDER BY utterance_id")
    prompt = "Name the emotion.\nAna: hi"
    assert rows == [
        (FIRST, "key-captions", "Two people smile.", "demo", [0.25, 1.25], prompt, "Ana", "key-finetune"),
        (SECOND, "key-captions", "A room.", "demo", None, "", "Ben", "key-finetune"),
    ]


def test_wrong_predictions_hold_those_that_do_not_parse(published: Layout) -> None:
    text = "SELECT utterance_id, gold, predicted, caption FROM wrong_predictions"
    assert ask(published, text) == [(SECOND, "anger", None, "A room.")]
    shares = ask(published, "SELECT gold, predicted, utterances, share FROM confusions")
    assert shares == [("anger", None, 1, 1.0)]


def test_scores_are_one_row_a_system(published: Layout) -> None:
    text = "SELECT run_id, split, system, utterances, accuracy, weighted_f1, unparsed FROM scores"
    assert ask(published, text) == [("demo-1", "test", "tuned", 2, 0.5, None, None)]


def test_every_rejected_row_has_its_reason(published: Layout) -> None:
    text = "SELECT run_id, stage, utterance_id, reason, detail FROM rejected"
    assert ask(published, text) == [("demo-1", "captions", "demo/train/x/9", "no_frames", "why")]


def test_costs_are_in_order_of_the_stages(published: Layout) -> None:
    rows = ask(published, "SELECT stage, seconds, rows_per_second FROM stage_costs")
    assert [row[0] for row in rows] == list(STAGES)
    assert rows[0] == ("ingest", 2.0, 1.0)


# ---- readers


READER = (
    "import sys; from pathlib import Path; from storage.layout import Layout; from storage.warehouse import connect\n"
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
    with connect(shared) as connection, pytest.raises(duckdb.Error):
        connection.execute(text.format(outside=shared.root.parent, lake=shared.lake))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "FROM runs",
        "VALUES (1)",
        "SELECT 1; SELECT 2",
        "WITH x AS (SELECT 1) FROM x",
        "DESCRIBE runs",
        "SUMMARIZE runs",
        "SHOW TABLES",
        "EXPLAIN SELECT * FROM lineage",
        "EXPLAIN ANALYZE FROM runs",
        "PIVOT metrics ON metric USING max(value) GROUP BY run_id",
        "SELECT now(), current_date",
        "SELECT 'copy to' AS text",
        "SELECT * FROM read_parquet('{lake}/captions/*/*.parquet')",
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


# ---- what is broken


def test_without_a_database_the_message_says_what_makes_one(layout: Layout) -> None:
    with pytest.raises(WorkspaceError, match=r"is not there yet: .*warehouse rebuild"):
        connect(layout)


def test_a_moved_workspace_asks_for_a_rebuild(published: Layout) -> None:
    moved = Layout(published.root.rename(published.root.with_name("moved")))
    with pytest.raises(WorkspaceError, match=r"was moved since its last run: `dialoguellm warehouse rebuild`"):
        connect(moved)
    publish(moved, [write(moved)], rebuild=True)
    assert len(ask(moved, "FROM utterances")) == 2


@pytest.mark.parametrize("damage", [b"", b"noise" * 5000, "cut"])
def test_a_damaged_database_asks_for_a_rebuild(published: Layout, damage: bytes | str) -> None:
    whole = published.database.read_bytes()
    published.database.write_bytes(whole[: len(whole) // 2] if isinstance(damage, str) else damage)
    with pytest.raises(DialogueError, match=r"warehouse rebuild|query failed"):
        ask(published, "SELECT * FROM shards")
    facts = write(published)
    if damage != b"":  # an empty file is a new database to DuckDB
        with pytest.raises(WorkspaceError, match="warehouse rebuild"):
            publish(published, [facts])
    publish(published, [facts], rebuild=True)
    assert len(ask(published, "FROM lineage")) == 2
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}


def test_a_damaged_part_is_named_and_the_old_database_stays(published: Layout) -> None:
    before = published.database.read_bytes()
    facts = write(published, "demo-2")
    published.part("captions", "key-captions", 0).write_bytes(b"noise")
    with pytest.raises(WorkspaceError, match=r"captions/key-captions/part-00000\.parquet.*delete that file"):
        publish(published, [facts])
    assert published.database.read_bytes() == before
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}
