from __future__ import annotations

from pathlib import Path

import pytest

from model import base_models, caption_models, weights
from model.errors import WeightsError


@pytest.mark.parametrize(
    ("name", "repo"),
    [
        ("llama-7b", "huggyllama/llama-7b"),
        ("LLaMA-2-7B", "meta-llama/Llama-2-7b-hf"),
        ("qwen3-8b", "Qwen/Qwen3-8B"),
        ("smollm2-1.7b-instruct", "HuggingFaceTB/SmolLM2-1.7B-Instruct"),
    ],
)
def test_a_short_name_is_a_hub_id(name: str, repo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_commit", lambda repo, revision: f"{repo}@{revision}")
    assert weights.identity(name) == f"hub:{repo}@{repo}@main"
    assert weights.origin(name).name == repo


def test_names_are_hub_ids_and_mean_one_thing() -> None:
    assert all(weights.HUB_ID.fullmatch(repo) for repo in base_models.NAMES.values())
    assert not {*base_models.NAMES} & {*weights.REGISTRY, *caption_models.MODELS}
    assert all(name == name.lower() for name in base_models.NAMES)
    assert base_models.full_name("org/model@branch") == "org/model@branch"


@pytest.mark.parametrize("name", ["alpaca", "Alpaca-7B"])
def test_alpaca_says_how_it_is_made(name: str, tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=rf"{name}: .*alpaca-7b-wdiff.*weight_diff\.py.*set the model to that folder"
    ):
        weights.resolve(name, tmp_path)
