"""A model's card tells what is so: its code runs, its figures are the run's, and no text from outside is Markdown."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from tuned_run import SCORES, base_of, score, tuned

from model import lora, predictor, weights
from model.emotions import labels
from tasks import data_card, model_card
from tasks.export import Part
from tasks.export_model import MergeOptions, export_adapter, export_merged
from tasks.parity import Parity
from tasks.plan import Run

pytestmark = pytest.mark.usefixtures("one_thread")
REGISTERED = weights.origin(weights.DEFAULT)
PARITY = Parity(64, 63, 1, 0.0123, 0.5, 0.02)
HERE = "path/to/this/folder"
EVIL = "/home/ana/```\n\n# Mine\n<script>alert(1)</script>\n---\nlicense: mine\u202e"


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return tuned(tmp_path_factory.mktemp("tuned"), tiny_model)


def card(run: Run, base: Path, parity: Parity | None = None) -> str:
    return model_card.render(run, [part("train", 6), part("dev", 3)], base, parity, "bfloat16")


def part(split: str, rows: int) -> Part:
    return Part(split, "", Counter({("demo", "joy"): rows}), rejected=1, source="ab" * 32)


def front_matter(text: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
    return found


def code(text: str) -> str:
    return text.split("```python\n")[1].split("\n```")[0]


def ran(text: str) -> dict[str, float]:
    names: dict[str, Any] = {}
    exec(compile(text, "card", "exec"), names)
    return dict(zip(names["labels"], names["scores"].tolist(), strict=True))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's own, see model/lora.py
@pytest.mark.parametrize("settings", [{}, {"preset": "paper", "speaker": "off", "suffix": "both"}])
@pytest.mark.parametrize("merged", [False, True])
def test_the_code_gives_the_scores_that_the_run_would(
    tiny_model: Path, tmp_path: Path, merged: bool, settings: dict[str, Any]
) -> None:
    run = tuned(tmp_path, tiny_model, instructions=settings)
    if merged:
        export_merged(run, tmp_path / "out", MergeOptions())
    else:
        export_adapter(run, tmp_path / "out")
    text = code((tmp_path / "out" / "README.md").read_text(encoding="utf-8"))
    there = text.replace(HERE, str(tmp_path / "out")).replace(f"'{base_of(run).name}'", f"'{base_of(run)}'")
    model, tokenizer = lora.load(base_of(run), next(run.layout.root.glob("models/*/adapter")), device="cpu")
    prompt = literal(text, "prompt")
    (expected,) = predictor.score(model, tokenizer, [prompt], labels("demo"))
    assert ran(there) == pytest.approx(dict(zip(labels("demo"), expected.probabilities, strict=True)), abs=1e-4)
    assert "Ben" in prompt or settings
    assert ("<|im_start|>" in prompt) == (not settings)


def literal(text: str, name: str) -> str:
    """The literal that the card's code gives to a variable."""
    (found,) = [
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return str(ast.literal_eval(found))


def test_the_front_matter_says_what_the_hub_asks_for(run: Run, monkeypatch: Any) -> None:
    head = front_matter(card(run, base_of(run)))
    assert (head["library_name"], head["pipeline_tag"], head["datasets"]) == ("peft", "text-generation", ["demo"])
    assert (head["license"], head["license_name"]) == ("other", "base-model-and-corpora")  # the folder's is not known
    assert "base_model" not in head  # a folder is no hub id
    assert "model-index" not in head
    known = weights.Origin("org/base", on_hub=True, revision="0" * 40, licence="Apache-2.0")
    monkeypatch.setattr(weights, "origin", lambda _name: known)
    head = front_matter(card(run, base_of(run), PARITY))
    assert (head["base_model"], head["base_model_relation"]) == ("org/base", "finetune")
    assert (head["library_name"], head["license"]) == ("transformers", "apache-2.0")


def test_scores_are_the_runs_with_their_floors_and_lines(tiny_model: Path, tmp_path: Path) -> None:
    run = tuned(tmp_path, tiny_model)
    assert "Not evaluated." in card(run, base_of(run))
    score(run)
    text = card(run, base_of(run))
    assert "| demo | test | tuned | 3 | 0.6250 | 0.5000 (0.3750 to 0.6250) | 0.2500 |" in text
    assert "| demo | test | majority | 3 | 0.3125 | 0.2500 | 0.1250 |" in text
    (entry,) = front_matter(text)["model-index"]
    (result,) = entry["results"]
    assert result["dataset"] == {"name": "demo", "type": "demo", "split": "test"}
    assert {item["name"]: item["value"] for item in result["metrics"]} == {
        name: SCORES[key] for key, name in model_card.SHARES.items()
    }


def test_scores_of_a_part_are_no_result_of_the_test_split(tiny_model: Path, tmp_path: Path) -> None:
    run = tuned(tmp_path, tiny_model, evaluate={"share": 0.25})
    score(run)
    text = card(run, base_of(run))
    assert "Of the test dialogues 25% were scored" in text
    assert "model-index" not in front_matter(text)


def test_the_card_tells_the_data_the_settings_and_the_merge(run: Run) -> None:
    text = card(run, base_of(run), PARITY)
    assert f"| train | 6 | 1 | `{'ab' * 32}` |" in text
    assert '"learning_rate": 0.1' in text
    assert weights.identity(str(base_of(run))) in text
    assert "stored as bfloat16" in text
    assert "63 get the same label" in text
    assert "0.012 (0.02 was allowed)" in text
    assert "vLLM" not in text
    assert "--lora-modules NAME=FOLDER" in card(run, base_of(run))
    assert "## The merge" not in card(run, base_of(run))
    assert data_card.SOURCES["demo"][0] in text


def test_a_subset_and_shots_are_said(tiny_model: Path, tmp_path: Path) -> None:
    run = tuned(tmp_path, tiny_model, finetune={"max_examples": 4}, instructions={"shots": 3})
    text = card(run, base_of(run))
    assert "A declared subset: 4 of the train rows" in text
    assert "up to 3 labelled train lines, left out here" in text


def test_the_registered_model_is_said_to_be_dequantised(run: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr(weights, "origin", lambda _name: REGISTERED)
    text = card(run, base_of(run))
    assert front_matter(text)["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert front_matter(text)["license"] == "apache-2.0"
    assert "a pinned quantised file (from SmolLM2-135M-Instruct.Q4_1.gguf, dequantised)" in text


def test_text_from_outside_is_a_literal_or_a_name(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    run = tuned(tmp_path, tiny_model)
    score(run)
    run.record["run_id"] = EVIL
    run.record["stages"]["finetune"]["own"]["identity"] = {"model": EVIL}
    monkeypatch.setattr(weights, "origin", lambda _name: weights.Origin(EVIL, on_hub=True))
    monkeypatch.setattr(model_card, "chat_template", lambda _tokenizer: lambda *_given: EVIL)
    text = card(run, base_of(run), PARITY)
    assert "\u202e" not in text
    assert "# Mine" not in [line.strip() for line in text.splitlines()]
    assert text.count("\n# ") == 1
    assert "license: mine" not in text.splitlines()
    assert [line for line in text.splitlines() if line.startswith("```")] == ["```python", "```", "```json", "```"]
    before = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    assert "<script" not in before
    assert literal(code(text), "prompt") == EVIL
    assert front_matter(text)["base_model"].isascii()


def test_the_same_run_makes_the_same_card_without_paths_or_lines(run: Run) -> None:
    text = card(run, base_of(run))
    assert text == card(run, base_of(run))
    assert str(base_of(run).parent) not in text
    assert str(run.layout.root) not in text
    assert not [words for words in ("<script", "license: mine", "naïve") if words in text]
