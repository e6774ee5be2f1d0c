"""The card's counts are those of the rows, and no text from outside is Markdown in it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pyarrow.parquet as pq
import pytest
import yaml
from exported_run import finished

from model.emotions import labels
from tasks import data_card
from tasks.export import Part, export
from tasks.export_forms import Form
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run
from tasks.stages import BY_NAME

EVIL = "/home/ana/```\n\n# Mine\n<script>alert(1)</script>\n---\nlicense: mine\u202e"


def card_of(root: Path, form: Form = Form.TEXT) -> str:
    export(finished(root), form, root / "out")
    return (root / "out" / "README.md").read_text(encoding="utf-8")


def table(card: str, heading: str) -> list[list[str]]:
    """The first table under a heading, without the rule."""
    lines = card.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    found = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    return [found[0], *found[2:]]


def block(card: str) -> dict[str, dict[str, dict[str, object]]]:
    """The one JSON block at the end."""
    found: dict[str, dict[str, dict[str, object]]] = json.loads(card.rsplit("```json\n", 1)[1].removesuffix("\n```\n"))
    return found


def test_the_front_matter_names_every_file(tmp_path: Path) -> None:
    head = yaml.safe_load(card_of(tmp_path).split("---\n")[1])
    assert head["license"] == "apache-2.0"
    files = [{"split": name, "path": f"{name}.parquet"} for name in ("train", "validation")]
    assert head["configs"] == [{"config_name": "default", "data_files": files}]


def test_the_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    card = card_of(tmp_path, Form.PROMPT_COMPLETION)
    heads, *rows = table(card, "Rows")
    assert heads[:4] == ["split", "file", "rows", "left out: no prompt"]
    heads, *counts = table(card, "Labels")
    assert [row[0] for row in counts] == list(labels("demo"))
    for place, row in enumerate(rows):
        answers = pq.read_table(tmp_path / "out" / row[1])["completion"].to_pylist()
        assert (heads[place + 1], int(row[2])) == (row[0], len(answers))
        assert {line[0]: int(line[place + 1]) for line in counts} == {
            name: answers.count(name) for name in labels("demo")
        }
    assert [row[3] for row in rows] == ["2", "1"]


def test_the_card_says_what_it_was_made_from(tmp_path: Path) -> None:
    run = finished(tmp_path)
    parts = export(run, Form.ALPACA, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    key = run.key(BY_NAME["instructions"])
    assert f"key `{key}`" in card
    assert all(f"`{part.source}`" in card and f"`{part.sha256}`" in card for part in parts)
    found = block(card)
    assert found["run"] == run.run_id
    assert found["stages"]["instructions"]["key"] == key
    assert found["stages"]["instructions"]["settings"] == run.settings["instructions"].key_fields()


@pytest.mark.parametrize("corpus", sorted({*get_args(IngestSettings.model_fields["corpus"].annotation)} - {"joint"}))
def test_every_corpus_has_a_source_and_a_licence(corpus: str) -> None:
    citation, licence = data_card.SOURCES[corpus]
    assert licence in citation.lower()


def hostile(root: Path) -> Run:
    run = finished(root)
    run.record["run_id"] = EVIL
    run.record["stages"]["captions"]["own"]["settings"] |= {"model": EVIL, "prompt": EVIL}
    return run


def test_text_from_outside_stays_in_the_json_block(tmp_path: Path) -> None:
    card = data_card.render(hostile(tmp_path), Form.TEXT, [Part("train", "train.parquet")])
    before, last = card.rsplit("```json\n", 1)
    assert "Mine" not in before
    assert "\u202e" not in card
    assert all(line.startswith((" ", "{", "}")) for line in last.removesuffix("\n```\n").splitlines())
    assert card.count("\n# ") == 1
    assert block(card)["stages"]["captions"]["settings"]["prompt"] == EVIL  # type: ignore[index]


def test_paths_of_the_machine_stay_out(tmp_path: Path) -> None:
    run = finished(tmp_path)
    run.record["stages"]["captions"]["own"]["settings"]["model"] = "/home/ana/models/my-captioner"
    card = data_card.render(run, Form.TEXT, [])
    assert "/home" not in card
    assert block(card)["stages"]["captions"]["settings"]["model"] == "my-captioner"  # type: ignore[index]


def test_no_line_of_a_dialogue_is_in_the_card(tmp_path: Path) -> None:
    card = card_of(tmp_path)
    assert not [words for words in ("<script", "license: mine", "naïve") if words in card]


def test_text_only_is_said_plainly(tmp_path: Path) -> None:
    run = finished(tmp_path, instructions={"description": False})
    assert "Text only" in data_card.render(run, Form.TEXT, [])


def test_several_corpora_are_all_cited_and_counted_apart(tmp_path: Path) -> None:
    parts = [{"corpus": "meld", "folder": tmp_path}, {"corpus": "emorynlp", "folder": tmp_path}]
    run = finished(tmp_path, instructions={"label_words": "unified"})
    settings = IngestSettings.model_validate({"corpus": "joint", "parts": parts})
    joint = replace(run, settings={**run.settings, "ingest": settings})
    train = Part("train", "train.parquet", Counter({("meld", "happiness"): 5, ("emorynlp", "happiness"): 2}))
    card = data_card.render(joint, Form.TEXT, [train])
    head = yaml.safe_load(card.split("---\n")[1])
    assert head["license"] == ["gpl-3.0", "apache-2.0"]
    assert "# Emotion instructions from the corpora meld and emorynlp\n" in card
    assert "Poria" in card
    assert "Zahiri" in card
    tables = card.split("## Labels\n")[1].split("\n## ")[0]
    assert [line for line in tables.splitlines() if line.startswith(("| meld", "| emorynlp", "| happiness"))] == [
        *("| meld | train |", "| happiness | 5 |", "| emorynlp | train |", "| happiness | 2 |"),
    ]
