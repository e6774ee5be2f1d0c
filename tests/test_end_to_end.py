"""The whole pipeline on a slice of the demo corpus, as a person runs it: through Prefect, again, changed, damaged."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from pipeline_runs import dialoguellm, tables, write_config
from prefect_server import Server

SYSTEMS = {"tuned", "tuned+prior", "tuned+biases", "untuned", "majority", "tfidf_lr"}


@dataclass(frozen=True)
class Finished:
    home: Path
    workspace: Path
    config: str


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Finished:
    """A run of the small configuration through Prefect's own ephemeral server."""
    folder = tmp_path_factory.mktemp("finished")
    workspace = folder / "workspace"
    config = str(write_config(folder, tiny_model, workspace))
    dialoguellm(folder / "home", "run", config)
    return Finished(folder / "home", workspace, config)


def plan(finished: Finished, *options: str) -> dict[str, dict[str, object]]:
    rows = json.loads(dialoguellm(finished.home, "plan", finished.config, "--json", *options))
    return {row["stage"]: row for row in rows}


def sql(finished: Finished, query: str) -> list[dict[str, object]]:
    found = json.loads(dialoguellm(finished.home, "sql", query, "-w", str(finished.workspace), "--json"))
    assert isinstance(found, list)
    return found


def test_every_stage_left_its_table(finished: Finished) -> None:
    found = tables(finished.workspace)
    utterances = {row["utterance_id"] for row in found["utterances"]}
    assert len(utterances) > 20
    assert {row["utterance_id"] for row in found["keyframes"]} == utterances
    assert {row["utterance_id"] for row in found["captions"]} == utterances
    assert {row["utterance_id"] for row in found["instructions"]} == utterances
    test = {name for name in utterances if "/test/" in name}
    assert {row["utterance_id"] for row in found["predictions"]} == test
    assert found["training_log"]
    dev = {name for name in utterances if "/dev/" in name}
    assert {row["utterance_id"] for row in found["dev_predictions"]} == dev
    assert {row["system"] for row in found["metrics"]} == SYSTEMS


def test_the_database_answers(finished: Finished) -> None:
    scores = sql(finished, "SELECT system, split, utterances, accuracy, weighted_f1 FROM scores")
    systems = {"test": SYSTEMS}
    systems["dev"] = systems["test"] - {"untuned"}
    for split in ("dev", "test"):
        assert {row["system"] for row in scores if row["split"] == split} == systems[split]
    lineage = sql(finished, "SELECT * FROM lineage LIMIT 1")[0]
    for column in ("adapter_key", "captions_key", "keyframes_key", "ingest_key", "caption", "prompt", "frame_times_s"):
        assert lineage[column]
    reads = sql(finished, "SELECT adapter_key FROM test_reads")
    assert {row["adapter_key"] for row in reads} == {lineage["adapter_key"]}


def test_prefects_pages_show_how_far_training_is(finished: Finished) -> None:
    with closing(sqlite3.connect(finished.home / "prefect" / "prefect.db")) as database:
        query = "SELECT data, description FROM artifact WHERE key = 'progress-small-finetune'"
        ((share, words),) = database.execute(query).fetchall()
    assert float(share) == 100
    assert re.fullmatch(r"finetune of small-\w{6} in flow run .*: (\d+)/\1 steps on \d+ of \d+ rows", words)


def test_the_report_is_there_and_whole(finished: Finished) -> None:
    page = Path(dialoguellm(finished.home, "report", "small", "-w", str(finished.workspace)).strip())
    text = page.read_text()
    assert text.rstrip().endswith("</html>")
    assert "<script" not in text
    assert "The test split was read once by this adapter" in text
    assert "bias taken back" in text


def test_the_server_has_the_log_by_shard_and_the_progress_by_stage(finished: Finished) -> None:
    with closing(sqlite3.connect(finished.home / "prefect" / "prefect.db")) as server:
        ended = server.execute(
            "SELECT task_run.name, log.message FROM log JOIN task_run ON task_run.id = log.task_run_id "
            "WHERE log.message LIKE 'done: %'"
        ).fetchall()
        bars = server.execute("SELECT key, data FROM artifact WHERE type = 'progress'").fetchall()
    done = sum(row["shards"] for row in json.loads(dialoguellm(finished.home, "plan", finished.config, "--json")))
    assert len(ended) == done
    said = {(name, message.split(": ")[1].split(",")[0]) for name, message in ended if name.startswith("captions")}
    rows = sql(finished, "SELECT shard, row_count FROM shards WHERE stage = 'captions'")
    assert said == {(f"captions-{row['shard']:05d}", f"{row['row_count']} rows") for row in rows}
    assert len(bars) == 9
    assert {float(percent) for _, percent in bars} == {100.0}


def test_systems_can_be_compared(finished: Finished) -> None:
    where = ("-w", str(finished.workspace), "--json")
    rows = json.loads(dialoguellm(finished.home, "compare", "small", *where))
    others = ["untuned", "tuned+biases", "tuned+prior", "majority", "tfidf_lr"]
    assert [row["second"].partition(":")[2] for row in rows[::3]] == others
    dev = json.loads(dialoguellm(finished.home, "compare", "small", "small:tuned+prior", "--split", "dev", *where))
    assert {row["split"] for row in dev} == {"dev"}
    stored = sql(finished, "SELECT count(*) AS n FROM comparisons")
    dialoguellm(finished.home, "compare", "small", *where)
    assert sql(finished, "SELECT count(*) AS n FROM comparisons") == stored == [{"n": 18}]


def test_the_model_answers_other_descriptions(finished: Finished) -> None:
    where = ("-w", str(finished.workspace), "--json")
    rows = json.loads(dialoguellm(finished.home, "counterfactual", "small", *where))
    conditions = {"dropped", "swapped_within", "swapped_across", "constant", "captions_alone"}
    assert {row["condition"] for row in rows} == conditions
    dev = sql(finished, "SELECT accuracy FROM scores WHERE split = 'dev' AND system = 'tuned'")[0]["accuracy"]
    of_all = [
        row for row in rows if (row["against"], row["captions"], row["metric"]) == ("original", "all", "accuracy")
    ]
    assert {round(row["against_value"], 4) for row in of_all} == {dev}
    assert sql(finished, "SELECT count(*) AS n FROM counterfactuals") == [{"n": len(rows)}]


def test_a_second_run_has_nothing_to_do(finished: Finished) -> None:
    assert sum(row["pending"] for row in plan(finished).values()) == 0
    assert "0 shards done" in dialoguellm(finished.home, "run", finished.config, "--direct")


def test_a_deleted_shard_is_done_again_alone(finished: Finished) -> None:
    before = tables(finished.workspace)
    key = plan(finished)["captions"]["key"]
    (finished.workspace / "lake" / "captions" / str(key) / "part-00001.parquet").unlink()
    pending = {name: row["reason"] for name, row in plan(finished).items() if row["pending"]}
    assert pending == {"captions": "1 corrupt"}
    rerun = ("rerun", "small", "--stage", "captions", "-w", str(finished.workspace), "--direct")
    assert "1 shard done" in dialoguellm(finished.home, *rerun)
    assert tables(finished.workspace) == before


def test_a_changed_prompt_is_planned_beside_the_old_captions(finished: Finished) -> None:
    found = plan(finished, "--set", "captions.prompt=facial-cues")
    assert found["keyframes"]["pending"] == 0
    assert "changed" in str(found["captions"]["reason"])
    assert "prompt: 'describe' → 'facial-cues'" in str(found["captions"]["detail"])
    assert "stale" in str(found["instructions"]["reason"])
    dialoguellm(
        finished.home, "run", finished.config, "--direct", "--until", "captions", "--set", "captions.prompt=facial-cues"
    )
    both = sql(finished, "SELECT stage_key, count(*) AS n FROM captions_history GROUP BY ALL")
    assert len(both) == 2
    assert both[0]["n"] == both[1]["n"]


def test_a_missing_video_becomes_a_reject(finished: Finished, tmp_path: Path, tiny_model: Path) -> None:
    import shutil

    workspace = tmp_path / "workspace"
    shutil.copytree(finished.workspace / "cache", workspace / "cache")
    (workspace / "workspace.json").write_text('{"format": 1}')
    missing = min(workspace.glob("cache/**/test/*.mp4"))
    config = write_config(tmp_path, tiny_model, workspace)
    dialoguellm(finished.home, "run", str(config), "--direct", "--until", "ingest")
    missing.unlink()
    dialoguellm(finished.home, "run", str(config), "--direct", "--until", "keyframes")
    found = json.loads(dialoguellm(finished.home, "rejects", "small", "-w", str(workspace), "--json"))
    assert [(row["stage"], row["reason"]) for row in found] == [("keyframes", "missing_video")]


def test_the_adapter_and_the_merged_model_go_out(finished: Finished, tmp_path: Path) -> None:
    where = ("-w", str(finished.workspace), "--json")
    run = str(sql(finished, "SELECT run_id FROM scores")[0]["run_id"])  # the last one is without an adapter
    dialoguellm(finished.home, "export", run, "--adapter", str(tmp_path / "adapter"), *where)
    assert "lora" in (tmp_path / "adapter" / "README.md").read_text()
    (row,) = json.loads(dialoguellm(finished.home, "export", run, "--merged", str(tmp_path / "merged"), *where))
    assert row["lines"] == row["same_label"] > 0
    assert (tmp_path / "merged" / "model.safetensors").is_file()
    assert sql(finished, "SELECT largest_gap FROM exports")[0]["largest_gap"] == row["largest_gap"]


def test_the_rebuilt_database_is_the_published_one(finished: Finished) -> None:
    published = ("runs", "stages", "shards", "predictions", "metrics", "exports", "comparisons", "test_reads")
    published += ("counterfactuals",)
    queries = [f"SELECT * FROM {table} ORDER BY ALL" for table in published]
    before = [sql(finished, query) for query in queries]
    dialoguellm(finished.home, "warehouse", "rebuild", "-w", str(finished.workspace))
    assert [sql(finished, query) for query in queries] == before


def test_the_flow_stops_before_anything_is_written(prefect_server: Server, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('name = "bad"\n[ingest]\ncorpus = "meld"\nfolder = "."\n')
    asked = f"PipelineRequest(config={str(bad)!r}, workspace={str(tmp_path / 'workspace')!r})"
    program = f"from flows.pipeline import PipelineRequest, pipeline; pipeline({asked})"
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=prefect_server.environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert found.returncode != 0
    assert "RunFailed: bad: 1 error of the input" in found.stderr
    assert "train_sent_emo.csv" in found.stderr
    assert sorted(tmp_path.iterdir()) == [bad]
