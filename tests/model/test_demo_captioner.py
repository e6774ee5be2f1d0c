"""The shipped demo captioner: a small safe folder that loads as any checkpoint does and describes the drawn world."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.demo.captioner_data import Shot, make_shot, render_shot
from tasks.demo.captioner_score import PERSON, score, write_captions

FOLDER = Path(__file__).parents[2] / "model" / "demo_captioner"
SEEDS = range(600_000_000, 600_000_024)  # neither trained on nor used for the figures of the model card
ALLOWED = {".json", ".jinja", ".md", ".safetensors"}


@pytest.fixture(scope="module")
def parts() -> Iterator[tuple[Any, Any]]:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model only waits for more
    model = AutoModelForImageTextToText.from_pretrained(FOLDER)
    yield model.eval(), AutoProcessor.from_pretrained(FOLDER)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return [make_shot(seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def pictures(shots: list[Shot]) -> list[list[Any]]:
    return [render_shot(shot, seed) for shot, seed in zip(shots, SEEDS, strict=True)]


def test_the_folder_is_small_and_holds_no_code_or_pickles() -> None:
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 16e6
    assert {path.suffix for path in files} <= ALLOWED
    assert "auto_map" not in (FOLDER / "config.json").read_text(encoding="utf-8")


def test_it_says_that_it_knows_the_drawn_world_only(parts: tuple[Any, Any]) -> None:
    assert parts[0].config.dialoguellm_world == "demo"
    assert json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["dialoguellm_world"] == "demo"
    assert "demo_world: true" in (FOLDER / "README.md").read_text(encoding="utf-8").split("---")[1]


def test_it_describes_unseen_pictures(parts: tuple[Any, Any], shots: list[Shot], pictures: list[list[Any]]) -> None:
    texts = write_captions(*parts, pictures)
    right = score(texts, shots)
    assert right["count"].share >= 0.97
    assert all(right[name].share >= 0.9 for name in ("place", "shots", *PERSON))
    assert texts[:16] == write_captions(*parts, pictures[:16])


def test_a_batch_with_padding_gives_what_single_prompts_give(parts: tuple[Any, Any], pictures: list[list[Any]]) -> None:
    short = next(shown for shown in pictures if len(shown) == 1)
    long = next(shown for shown in pictures if len(shown) > 1)
    assert parts[1].tokenizer.padding_side == "left"
    assert write_captions(*parts, [short, long]) == write_captions(*parts, [short, long], batch=1)


@pytest.mark.parametrize("instruction", ["Describe the people.", "", "<image></s> Ünïcode 漢字 \x00 <|answer|>"])
def test_no_instruction_changes_the_prompt(parts: tuple[Any, Any], instruction: str) -> None:
    from PIL import Image

    picture = {"type": "image", "image": Image.new("RGB", (512, 288), (90, 120, 150))}
    asked = [{"role": "user", "content": [picture, {"type": "text", "text": instruction}]}]
    plain = [{"role": "user", "content": [picture]}]
    prompts = [
        parts[1].apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True)
        for chat in (asked, plain)
    ]
    assert prompts[0]["input_ids"] == prompts[1]["input_ids"]
    assert parts[1].tokenizer.decode(parts[1].tokenizer.encode("Zoë asks: 漢字?")) == "Zoë asks: 漢字?"
