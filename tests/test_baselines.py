"""Models that nobody tuned here, as a person runs them: the base with worked examples, and one that a server runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_runs import dialoguellm, tables
from playing_server import Reply, Seen, lists, playing, says

from flows.direct import execute
from flows.settings import prepare
from storage.shards import read_rows
from tasks.plan import Run
from tasks.stages import BY_NAME

KEY = "sk-very-secret-key-123"
CONFIG = """
name = "baseline"
workspace = {workspace!r}
model = {model!r}

[ingest]
corpus = "table"
file = {table!r}
labels = "meld"

[finetune]
enabled = false
"""
SAID = ["Joy.", "<script>alert(1)</script>", "", "The emotion is anger", "joy", "disgust"]


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rows = ["split,dialogue_id,turn,speaker,text,emotion"]
    for split, dialogues in (("train", 6), ("dev", 1), ("test", 3)):
        for dialogue in range(dialogues):
            rows += [f"{split},{split}{dialogue},{turn},Ana,Line {dialogue} {turn}.,joy" for turn in range(2)]
    (corpus / "lines.csv").write_text("\n".join(rows) + "\n")
    path = tmp_path / "baseline.toml"
    named = {"workspace": str(tmp_path / "workspace"), "table": str(corpus / "lines.csv")}
    path.write_text(CONFIG.format(**named, model=str(tiny_model)))
    return path


def predictions(run: Run) -> list[Any]:
    """What evaluate yields, with all that it needs done first."""
    for name in ("ingest", "instructions", "evaluate"):
        stage = BY_NAME[name]
        assert not execute(run, stage, run.shards_of(stage) or [0])
    stage = BY_NAME["evaluate"]
    return [
        row
        for shard in run.shards_of(stage) or []
        for row in read_rows(run.layout, "predictions", run.key(stage), shard)
    ]


@pytest.mark.usefixtures("one_thread")
def test_the_base_model_with_so_many_worked_examples(config: Path) -> None:
    said = {}
    for shots in (0, 1, 5, 10):
        found = predictions(prepare(str(config), overrides=[f"instructions.shots={shots}"]))
        assert {row.system for row in found} == {"untuned"}
        assert len(found) == 6
        said[shots] = [tuple(row.scores.values()) for row in found]
    assert len(set(map(tuple, said.values()))) == 4, "examples change what the model says"


def test_a_run_with_a_server(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    monkeypatch.setenv("ORACLE_KEY", KEY)

    def play(request: Seen, _number: int) -> Reply:
        if request.method == "GET":
            return lists("org/oracle:8b")
        with_examples = json.dumps(request.body["messages"])
        dialogue, turn = with_examples.rpartition("Line ")[2].split(".")[0].split()
        text = SAID[2 * int(dialogue) + int(turn)]
        return says(text, usage={"prompt_tokens": 90, "completion_tokens": 2})

    with playing(play=play) as server:
        more = {"server": server.url, "model": "org/oracle:8b", "method": "generate", "server_key_env": "ORACLE_KEY"}
        more |= {"price_prompt": 0.5, "price_answer": 1.5}
        given = [word for name, value in more.items() for word in ("--set", f"evaluate.{name}={json.dumps(value)}")]
        run = ("run", str(config), "--direct", *given)
        assert "finetune.enabled: must be false" in dialoguellm(home, *run, "--set", "finetune.enabled=true", code=2)
        dialoguellm(home, *run)
        asked = len(server.seen)
        dialoguellm(home, *run)
        assert not [seen for seen in server.seen[asked:] if seen.method == "POST"], "the same answers, asked again"
    assert {seen.headers["Authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    found = tables(workspace)["predictions"]
    assert [(row["system"], row["predicted"], row["raw"]) for row in found] == [
        ("org/oracle:8b", said, raw)
        for said, raw in zip(["joy", None, None, "anger", "joy", "disgust"], SAID, strict=True)
    ]
    text = "select system, answers, unparsed, prompt_tokens, answer_tokens, cost from answer_costs"
    (costs,) = json.loads(dialoguellm(home, "sql", text, "-w", str(workspace), "--json"))
    assert costs["system"] == "org/oracle:8b"
    assert (costs["answers"], costs["unparsed"], costs["prompt_tokens"], costs["answer_tokens"]) == (6, 2, 540, 12)
    assert costs["cost"] == pytest.approx((540 * 0.5 + 12 * 1.5) / 1e6)
    text = "select system, round(accuracy, 4) as accuracy from scores where system = 'org/oracle:8b'"
    assert json.loads(dialoguellm(home, "sql", text, "-w", str(workspace), "--json"))[0]["accuracy"] == 0.3333
    page = next((workspace / "reports").glob("*/index.html")).read_text()
    assert "org/oracle:8b" in page
    assert "<script" not in page
    written = [path for folder in (workspace, home) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_shards_that_were_done_stay_when_the_server_goes(config: Path) -> None:
    def play(_request: Seen, number: int) -> Reply:
        return says("joy") if number < 4 else Reply(status=401)

    with playing(play=play) as server:
        given = {"server": f'"{server.url}"', "model": '"oracle"', "method": '"generate"', "server_requests": "1"}
        overrides = [f"evaluate.{name}={value}" for name, value in given.items()]
        run = prepare(str(config), overrides=[*overrides, "ingest.shard_utterances=2"])
        for name in ("ingest", "instructions"):
            assert not execute(run, BY_NAME[name], run.shards_of(BY_NAME[name]) or [0])
        stage = BY_NAME["evaluate"]
        shards = run.shards_of(stage) or []
        failures = execute(run, stage, shards)
    assert [one.shard for one in failures] == shards[2:]
    assert "refused the key" in failures[0].error
    done = [row for shard in shards[:2] for row in read_rows(run.layout, "predictions", run.key(stage), shard)]
    assert [row.predicted for row in done] == ["joy"] * 4


def test_a_corpus_without_test_lines_is_refused_and_without_the_check_scores_nothing(
    config: Path, tmp_path: Path
) -> None:
    table = tmp_path / "corpus" / "lines.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith("test,")))
    home = tmp_path / "home"
    run = ("run", str(config), "--direct")
    assert "empty_split  table-meld/test" in dialoguellm(home, *run, code=3)
    assert not (tmp_path / "workspace").exists()
    dialoguellm(home, *run, "--no-check")
    found = tables(tmp_path / "workspace")
    assert not found.get("predictions")
    assert not found["metrics"]
