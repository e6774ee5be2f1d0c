"""docs/sql.md is true: every query of its cookbook is answered, everything on its list of attacks is refused."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from example_rows import BOXES
from scored_run import corpus_lines, recorded, right_but, scored

from model.dialogue import Caption, Instruction, Keyframe, Rejected, TrainingStep
from model.errors import DialogueError
from storage import findings, ledger, queries
from storage.layout import Layout
from storage.shards import write_shard
from storage.warehouse import publish as store
from tasks.plan import Run
from tasks.publish import publish
from tasks.stages import BY_NAME

PAGE = (Path(__file__).parents[1] / "docs" / "sql.md").read_text()
COOKBOOK = re.findall(r"^### (.+?)\n\n```sql\n(.*?)```\n```text\n(.*?)```", PAGE, flags=re.M | re.S)
ATTACKS = re.findall(r"^\| `(.+?)` \| (.+?) \|$", PAGE.partition("## Limits")[2], flags=re.M)
TEST = [row for row in corpus_lines() if row.split == "test"]


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Two runs of one name, 40 and 44 of 48 lines right, with rows of every stage, rejects and a comparison."""
    root = tmp_path_factory.mktemp("page")
    for wrong, seed in ((8, 0), (4, 5)):
        tables = {"captions": {"model": "demo"}, "finetune": {"seed": seed}}
        said = [*right_but(TEST, range(wrong)), *right_but(TEST, range(0, 48, 2), "untuned")]
        finish(recorded(root, said, tables=tables), seed)
    layout = Layout(root / "workspace")
    row = {"comparison": "k", "first": "a:tuned", "second": "b:tuned", "corpus": "demo", "split": "test"}
    findings.save_comparison(layout, "k", [{**row, "metric": "accuracy"}])
    store(layout, [])
    return layout


def finish(run: Run, seed: int) -> None:
    """Rows of the stages between, an attempt that read test, and scores."""
    captions = [Caption(row.utterance_id, "A smile.", "demo", "r", "p", 1, 2, ("smile",), 0.1) for row in TEST]
    frame = Keyframe("", 0, 0.4, b"\xff\xd8", 640, 480, 9.0, 0.0, 0.9, False, 2, BOXES, "best")
    frames = [Keyframe(row.utterance_id, 0, *[getattr(frame, n) for n in Keyframe.__slots__[2:]]) for row in TEST]
    shown = [
        Instruction(row.utterance_id, "video", (), "Ana: so", "joy", 7, (TEST[0].utterance_id,), None) for row in TEST
    ]
    steps = [TrainingStep(n, n / 2, 2.0, 1e-3, 1.0, 100, 0.2, unique_tokens=60) for n in (1, 2)]
    rejected = Rejected("demo/test/9/9", "captions", "no_frames", "the video has no frames")
    write_shard(run.layout, "captions", run.key(BY_NAME["captions"]), 2, [*captions, rejected], {})
    write_shard(run.layout, "keyframes", run.key(BY_NAME["keyframes"]), 2, frames, {})
    write_shard(run.layout, "instructions", run.key(BY_NAME["instructions"]), 2, shown, {})
    write_shard(run.layout, "training_log", run.key(BY_NAME["finetune"]), 0, steps, {})
    adapter = run.keys["finetune"]
    ledger.record_reading(run.layout, run.run_id, adapter, "explain", 1)
    assert ledger.save_run(run.layout, run.record)["run_id"] == run.run_id, seed
    publish(scored(run))


@pytest.mark.parametrize(("question", "text", "shown"), COOKBOOK, ids=[item[0] for item in COOKBOOK])
def test_the_cookbook_is_answered(layout: Layout, question: str, text: str, shown: str) -> None:
    with queries.connect(layout) as connection:
        columns, rows = queries.query(connection, text)
    assert shown.splitlines()[0].split() == columns
    assert rows, question


def test_the_cookbook_has_many_questions() -> None:
    assert len(COOKBOOK) >= 20
    assert len({text for _, text, _ in COOKBOOK}) == len(COOKBOOK) == PAGE.count("```sql")
    assert len(ATTACKS) > 30


@pytest.mark.parametrize(("text", "answer"), ATTACKS, ids=[item[0] for item in ATTACKS])
def test_attacks_are_refused(
    layout: Layout, text: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queries, "ROWS", 1_000)
    before = sorted(path for path in layout.root.rglob("*"))
    limit = 0.3 if "stopped" in answer else 60.0
    with (
        queries.connect(layout, memory_limit="100MB") as connection,
        pytest.raises(DialogueError, match=re.escape(answer)),
    ):
        queries.query(connection, text, seconds=limit)
    assert sorted(path for path in layout.root.rglob("*")) == before
    assert list(tmp_path.iterdir()) == []


# ---- other readers


def test_the_library_alone_reads_the_same(layout: Layout) -> None:
    names = ("scores", "lineage", "captions", "keys")
    with queries.connect(layout) as ours:
        expected = [queries.query(ours, f"FROM {name}")[1] for name in names]
        counted = "SELECT path, (SELECT count(*) FROM captions) FROM copies WHERE output = 'captions'"
        ((path, rows),) = queries.query(ours, counted)[1]
    with duckdb.connect(str(layout.database), read_only=True) as plain:
        found = [plain.sql(f"FROM {name}").fetchall() for name in names]
    assert [sorted(rows, key=repr) for rows in found] == [sorted(rows, key=repr) for rows in expected]
    assert pq.read_table(path).num_rows == rows


@pytest.mark.parametrize(("library", "method"), [("pandas", "df"), ("polars", "pl")])
def test_data_frames(layout: Layout, library: str, method: str) -> None:
    module: Any = pytest.importorskip(library)
    importlib.import_module(library)
    with duckdb.connect(str(layout.database), read_only=True) as plain:
        frame = getattr(plain.sql("SELECT * FROM predictions"), method)()
        (path,) = plain.sql("SELECT path FROM copies WHERE output = 'captions'").fetchall()[0]
    assert frame.shape[0] == 96
    assert module.read_parquet(path).shape[0] == 48


# ---- a half-deleted lake


def test_a_missing_file_is_named_and_made_again(layout: Layout) -> None:
    with queries.connect(layout) as connection:
        ((path,),) = queries.query(connection, "SELECT path FROM copies WHERE output = 'captions'")[1]
    Path(path).unlink()
    with queries.connect(layout) as connection:
        with pytest.raises(DialogueError, match=rf"{re.escape(path)}.*warehouse rebuild"):
            queries.query(connection, "FROM captions")
        assert queries.query(connection, "FROM utterances")[1]
    store(layout, [])
    with queries.connect(layout) as connection:
        assert len(queries.query(connection, "FROM captions")[1]) == 48
