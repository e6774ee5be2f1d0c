"""Two corpora in one run, one of them with videos: every stage's rows are those of a line's own corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_runs import dialoguellm, tables
from video_clips import three_shots

CONFIG = """
name = "both"
workspace = {workspace!r}
seed = 3
model = {model!r}

[ingest]
corpus = "joint"
shard_utterances = 4
max_rejects = 0.01

[[ingest.parts]]
corpus = "table"
file = {seen!r}
labels = "meld"
videos = {videos!r}

[[ingest.parts]]
corpus = "table"
file = {heard!r}
labels = "emorynlp"

[keyframes]
max_frames = 1

[captions]
model = "demo"
force = true

[instructions]
label_words = "unified"
shots = 2
shots_by = "class"

[finetune]
max_steps = 1
batch_size = 4
"""

SEEN = {"train": ("joy", "anger", "joy"), "dev": ("fear", "joy"), "test": ("joy", "disgust")}
HEARD = {"train": ("joyful", "mad", "peaceful"), "dev": ("scared", "sad"), "test": ("powerful", "mad")}


def write_table(path: Path, labels: dict[str, tuple[str, ...]], video: str) -> None:
    """Two dialogues a split, called 0 and 1 in every corpus, and a last train line that stands in the test split."""
    rows = [
        f"{split},{dialogue},{turn},Ana,{path.stem} {split} {dialogue}: line {turn},{label},{video}"
        for split, said in labels.items()
        for dialogue in (0, 1)
        for turn, label in enumerate(said)
    ]
    leak = f"{path.stem} test 0: line 0", f"{path.stem} test 0: line 1"
    rows += [f"train,9,{turn},Ana,{text},{labels['train'][0]},{video}" for turn, text in enumerate(leak)]
    path.write_text("\n".join(["split,dialogue_id,turn,speaker,text,emotion,video", *rows]) + "\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    folder = tmp_path_factory.mktemp("both")
    (folder / "videos").mkdir()
    three_shots(folder / "videos" / "clip.mp4")
    write_table(folder / "seen.csv", SEEN, "clip.mp4")
    write_table(folder / "heard.csv", HEARD, "")
    paths = {name: str(folder / name) for name in ("workspace", "videos")}
    files = {name: str(folder / f"{name}.csv") for name in ("seen", "heard")}
    (folder / "both.toml").write_text(CONFIG.format(model=str(tiny_model), **paths, **files))
    dialoguellm(folder / "home", "run", str(folder / "both.toml"), "--direct")
    return folder


@pytest.fixture(scope="module")
def lake(home: Path) -> dict[str, list[dict[str, Any]]]:
    rejected = dialoguellm(home / "home", "rejects", "both", "-w", str(home / "workspace"), "--json")
    return {**tables(home / "workspace"), "rejects": json.loads(rejected)}


def corpora(rows: list[dict[str, Any]]) -> set[str]:
    return {row["utterance_id"].split("/")[0] for row in rows}


def test_lines_without_videos_have_no_description_and_are_no_rejects_for_that(lake: dict[str, Any]) -> None:
    assert corpora(lake["utterances"]) == corpora(lake["instructions"]) == {"table-meld", "table-emorynlp"}
    assert corpora(lake["keyframes"]) == {"table-meld"}
    refused = [row for row in lake["rejects"] if row["stage"] == "captions"]
    assert corpora([*lake["captions"], *refused]) == {"table-meld"}
    assert corpora([row for row in lake["instructions"] if row["caption_key"]]) <= {"table-meld"}
    assert "no_video_named" not in {row["reason"] for row in lake["rejects"]}


def test_the_leaks_are_rejects_and_did_not_stop_the_run(lake: dict[str, Any]) -> None:
    leaks = sorted(row["utterance_id"] for row in lake["rejects"] if row["reason"] == "leak")
    assert leaks == ["table-emorynlp/train/9/1", "table-meld/train/9/1"]


def test_prompts_show_examples_of_the_own_corpus_alone_in_unified_words(lake: dict[str, Any]) -> None:
    for row in lake["instructions"]:
        corpus = row["utterance_id"].split("/")[0]
        own, other = ("seen", "heard") if corpus == "table-meld" else ("heard", "seen")
        assert own in row["prompt"]
        assert other not in row["prompt"]
        assert " => " in row["prompt"]
        assert ("peaceful" in row["prompt"]) == (corpus == "table-emorynlp")
        assert "happiness" in row["prompt"]
        assert "joy" not in row["prompt"]


def test_predictions_and_scores_are_in_the_own_labels(home: Path, lake: dict[str, Any]) -> None:
    for row in lake["predictions"]:
        labels = SEEN if row["utterance_id"].startswith("table-meld") else HEARD
        assert row["gold"] in labels["test"]
        assert row["predicted"] in dict(row["scores"])
        assert {*labels["train"], *labels["test"]} <= {*dict(row["scores"])}
    assert {(row["corpus"], row["system"]) for row in lake["metrics"]} == {
        (corpus, system)
        for corpus in ("table-meld", "table-emorynlp")
        for system in ("tuned", "untuned", "majority", "tfidf_lr")
    }
    query = "SELECT corpus, utterances FROM scores WHERE system = 'tuned' ORDER BY corpus"
    found = json.loads(dialoguellm(home / "home", "sql", query, "-w", str(home / "workspace"), "--json"))
    assert found == [{"corpus": name, "utterances": 4} for name in ("table-emorynlp", "table-meld")]


def test_the_report_has_a_block_for_each(home: Path) -> None:
    page = Path(dialoguellm(home / "home", "report", "both", "-w", str(home / "workspace")).strip()).read_text()
    for corpus in ("table-meld", "table-emorynlp"):
        assert page.count(f'<h3 class="corpus">{corpus}</h3>') == 5
    assert "were left out: 1 of table-emorynlp, 1 of table-meld." in page


def test_the_export_holds_both_with_their_own_labels(home: Path) -> None:
    dialoguellm(
        home / "home", "export", "both", "--format", "text", "-w", str(home / "workspace"), "--out", str(home / "out")
    )
    card = (home / "out" / "README.md").read_text()
    assert "| table-meld | train | validation |" in card
    assert card.count("| happiness | 5 | 2 |") == 1
    assert "| peaceful | 2 | 0 |" in card
