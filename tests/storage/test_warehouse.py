"""results.duckdb: published whole, read-only, over the finished shards of the lake."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from example_rows import FIRST, ROWS, SECOND
from finished_run import STAGES, ask, write

from model.dialogue import Rejected
from model.errors import DialogueError, WorkspaceError
from storage import sealed
from storage.catalogue import sql_files
from storage.copies import LAKE_TABLES
from storage.layout import Layout
from storage.queries import connect, query
from storage.shards import file_sha256, write_shard
from storage.warehouse import RunFacts, publish

QUESTIONS = sorted(path.stem for path in (Path(__file__).parents[2] / "storage" / "views").glob("*.sql"))
TABLES = ("runs", "attempts", "stages", "shards", "predictions", "metrics", "test_reads", "exports")


def contents(layout: Layout) -> dict[str, list[str]]:
    names = (*TABLES, *LAKE_TABLES, *QUESTIONS)
    with connect(layout) as connection:
        return {name: sorted(map(repr, query(connection, f"FROM {name}")[1])) for name in names}


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
    assert all(first[name] for name in (*TABLES, *LAKE_TABLES) if name != "rejects")


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


def with_fewer_columns(path: Path, dropped: list[str]) -> None:
    """A part as a version wrote it that did not know them, with its manifest."""
    pq.write_table(pq.read_table(path).drop_columns(dropped), path)
    if path.with_suffix(".json").exists():  # the empty part has none
        manifest = sealed.loads(path.with_suffix(".json").read_bytes())
        about = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        path.with_suffix(".json").write_bytes(sealed.dumps({**manifest, **about}))


def test_results_of_a_version_with_fewer_columns_stay_readable(layout: Layout) -> None:
    facts = write(layout)
    publish(layout, [facts])
    for path in (layout.lake / "keyframes").glob("*/part-*.parquet"):
        with_fewer_columns(path, ["score", "suspect", "face_boxes"])
    publish(layout, [facts], rebuild=True)
    assert ask(layout, "SELECT DISTINCT score, suspect, face_boxes FROM keyframes") == [(None, None, None)]
    assert ask(layout, "SELECT DISTINCT suspect_frames FROM lineage WHERE len(frame_times_s) > 0") == [(0,)]


def test_everything_can_be_queried_before_the_first_row_exists(layout: Layout) -> None:
    publish(layout, [])
    assert all(rows == [] for rows in contents(layout).values())


def test_a_view_of_another_version_is_made_again(published: Layout) -> None:
    with duckdb.connect(str(published.database)) as connection:
        connection.execute("CREATE OR REPLACE VIEW scores AS SELECT 1 AS old")
        connection.execute("UPDATE about SET value = 'old' WHERE name = 'views'")
    publish(published, [])
    with connect(published) as connection:
        assert "weighted_f1" in query(connection, "FROM scores")[0]


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
    assert len(ask(layout, "FROM keyframes")) == len(ROWS["keyframes"])


def test_rows_shared_by_two_runs_are_there_once(layout: Layout) -> None:
    publish(layout, [write(layout), write(layout, "demo-2")])
    assert len(ask(layout, "FROM utterances")) == 2
    assert len(ask(layout, "FROM predictions_history")) == 4
    assert len(ask(layout, "FROM predictions")) == 2  # of the run used last


# ---- the views that answer questions


def test_lineage_has_one_row_a_prediction(published: Layout) -> None:
    columns = "utterance_id, captions_key, caption, captioner, frame_times_s, suspect_frames, prompt, speaker"
    rows = ask(published, f"SELECT {columns}, adapter_key FROM lineage ORDER BY utterance_id")
    prompt = "Name the emotion.\nAna: hi"
    assert rows == [
        (FIRST, "key-captions", "Two people smile.", "demo", [0.25, 1.25, 1.5], 1, prompt, "Ana", "key-finetune"),
        (SECOND, "key-captions", "A room", "demo", None, None, "", "Ben", "key-finetune"),
    ]


def test_wrong_predictions_hold_those_that_do_not_parse(published: Layout) -> None:
    text = "SELECT utterance_id, gold, predicted, caption FROM wrong_predictions"
    assert ask(published, text) == [(SECOND, "anger", None, "A room")]
    shares = ask(published, "SELECT gold, predicted, utterances, share FROM confusions")
    assert shares == [("anger", None, 1, 1.0)]


def test_scores_are_one_row_a_system(published: Layout) -> None:
    text = "SELECT run_id, split, system, utterances, accuracy, accuracy_low, weighted_f1, unparsed FROM scores"
    assert ask(published, text) == [("demo-1", "test", "tuned", 2, 0.5, 0.4, None, None)]
    text = "SELECT utterances, accuracy, macro_f1 FROM score_intervals"
    assert ask(published, text) == [(2, "50.0 [40.0, 60.5]", "25.0")]


def test_every_rejected_row_has_its_reason(published: Layout) -> None:
    text = "SELECT run_id, stage, utterance_id, reason, detail FROM rejected"
    assert ask(published, text) == [("demo-1", "captions", "demo/train/x/9", "no_frames", "why")]


def test_captions_are_measured_by_run(published: Layout) -> None:
    columns = "utterance_id, n_words, repetition, english, refusal, like_previous, contradiction, unfinished"
    assert ask(published, f"SELECT {columns} FROM caption_quality ORDER BY utterance_id") == [
        (FIRST, 3, 0.25, 0.5, False, None, "no_face", False),
        (SECOND, 2, 0.0, 0.0, True, 0.5, None, True),
    ]
    assert ask(published, "SELECT names_gold, split FROM caption_quality ORDER BY utterance_id") == [
        (True, "train"),
        (False, "train"),
    ]


def test_costs_are_in_order_of_the_stages(published: Layout) -> None:
    rows = ask(published, "SELECT stage, seconds, rows_per_second FROM stage_costs")
    assert [row[0] for row in rows] == list(STAGES)
    assert rows[0] == ("ingest", 2.0, 1.0)


# ---- what is broken


@pytest.mark.parametrize("damage", [b"", b"noise" * 5000, "cut"])
def test_a_damaged_database_asks_for_a_rebuild(published: Layout, damage: bytes | str) -> None:
    whole = published.database.read_bytes()
    published.database.write_bytes(whole[: len(whole) // 2] if isinstance(damage, str) else damage)
    facts = write(published)
    if damage != b"":  # an empty file is a new database to DuckDB
        with pytest.raises(WorkspaceError, match="warehouse rebuild"):
            publish(published, [facts])
    publish(published, [facts], rebuild=True)
    assert len(ask(published, "FROM lineage")) == 2
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}


def test_a_damaged_part_is_named_and_stops_no_run(published: Layout) -> None:
    facts = write(published, "demo-2")
    published.part("captions", "key-captions", 0).write_bytes(b"noise")
    publish(published, [facts])
    assert len(ask(published, "FROM runs")) == 2
    assert len(ask(published, "FROM utterances")) == 2
    with pytest.raises(DialogueError, match=r"captions/key-captions/all-\w+\.parquet.*warehouse rebuild"):
        ask(published, "FROM captions")


def test_a_rebuild_over_a_damaged_part_names_it_and_keeps_the_old_database(published: Layout) -> None:
    before = published.database.read_bytes()
    facts = write(published, "demo-2")
    published.part("captions", "key-captions", 0).write_bytes(b"noise")
    with pytest.raises(WorkspaceError, match=r"captions/key-captions/part-00000\.parquet.*fsck --repair"):
        publish(published, [facts], rebuild=True)
    assert published.database.read_bytes() == before
    assert {path.name for path in published.root.iterdir()} == {"results.duckdb", "lake", "locks"}


# ---- an older program's results


def test_the_first_version_of_the_database_is_brought_up_to_date(layout: Layout) -> None:
    """Scores from before they named their corpus stay; rows that lie in the lake are read from there."""
    facts = write(layout)
    (path,) = facts.files["metrics"]
    with_fewer_columns(path, ["corpus", "low", "high"])
    with duckdb.connect(str(layout.database)) as connection:
        connection.execute("CREATE TABLE about (name VARCHAR PRIMARY KEY, value VARCHAR)")
        connection.execute("INSERT INTO about VALUES ('migration', '001_tables.sql')")
        connection.execute(sql_files("migrations")["001_tables.sql"])
        connection.execute("INSERT INTO runs (run_id, name) VALUES ('demo-1', 'demo')")
        stages = "stages (run_id, position, stage, stage_key, output)"
        connection.execute(f"INSERT INTO {stages} VALUES ('demo-1', 0, 'evaluate', 'key-evaluate', 'predictions')")
        shard = "(run_id, stage, stage_key, shard, state)"
        connection.execute(f"INSERT INTO shards {shard} VALUES ('demo-1', 'evaluate', 'key-evaluate', 0, 'done')")
        connection.execute(
            "INSERT INTO metrics SELECT 'demo-1', 'key-score', split, system, metric, label, predicted, value "
            f"FROM read_parquet('{path}')"
        )
        connection.execute("CREATE VIEW lineage AS FROM predictions")
    publish(layout, [])
    assert ask(layout, "SELECT run_id, corpus, accuracy FROM scores") == [("demo-1", None, 0.5)]
    assert ask(layout, "SELECT run_id, count(*) FROM predictions GROUP BY ALL") == [("demo-1", 2)]
    assert ask(layout, "SELECT dialogue FROM worst_dialogues") == [("demo/train/kitchen",)]
    publish(layout, [write(layout, "demo-2")])
    with_fewer_columns(path, ["corpus", "low", "high"])
    publish(layout, [facts])
    assert ask(layout, "SELECT run_id, corpus, accuracy FROM scores") == [
        ("demo-1", None, 0.5),
        ("demo-2", "demo", 0.5),
    ]
