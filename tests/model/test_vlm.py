from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from model import fast_linear, vlm
from model.errors import WeightsError
from model.vlm import load, world_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_world_of_reads_the_configuration(tiny_captioner: Path, tmp_path: Path) -> None:
    assert world_of(tiny_captioner) is None
    (tmp_path / "config.json").write_text('{"dialoguellm_world": "demo"}')
    assert world_of(tmp_path) == "demo"
    (tmp_path / "config.json").write_text("[1, 2")
    with pytest.raises(WeightsError, match="fetch the weights again"):
        world_of(tmp_path)


@pytest.mark.parametrize(("least", "kind"), [(1, "FastLinear"), (10**9, "Linear")])
def test_large_models_multiply_through_onednn(
    least: int, kind: str, tiny_captioner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not fast_linear.available():
        pytest.skip("this torch has no such multiplication")
    monkeypatch.setattr(vlm, "LARGE", least)
    model, _ = load(tiny_captioner)
    assert type(model.lm_head).__name__ == kind
    assert not any(numbers.requires_grad for numbers in model.parameters())


def damage_cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4000])


def damage_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")


def damage_remote_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForImageTextToText": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('remote code ran')")


def damage_lacking(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors[next(name for name in sorted(tensors) if "projector" in name)]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


def damage_processor(folder: Path) -> None:
    (folder / "processor_config.json").write_text("{}")
    (folder / "tokenizer.json").unlink()


@pytest.mark.parametrize("damage", [damage_cut, damage_missing, damage_remote_code, damage_lacking, damage_processor])
def test_a_folder_that_cannot_be_loaded_is_said(
    tiny_captioner: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(tiny_captioner, folder)
    damage(folder)
    with pytest.raises(WeightsError, match="copy"):
        load(folder)
