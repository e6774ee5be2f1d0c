"""What a run needs of the disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from model import face_weights, weights
from model.detectors import OBJECTS, OBJECTS_LAYERS, PEOPLE
from tasks import check_disk
from tasks.check_disk import fits, free_bytes, needs
from tasks.finetune_settings import FinetuneSettings
from tasks.stage import StageSettings
from tasks.stages import STAGES


def settings(model: Path | str, **tables: Any) -> dict[str, StageSettings]:
    named = {name: {"model": str(model)} for name in ("instructions", "finetune", "evaluate")}
    return {
        stage.name: stage.settings.model_validate({**named.get(stage.name, {}), **tables.get(stage.name, {})})
        for stage in STAGES
    }


def everything(_stage: str) -> float:
    return 1.0


def test_what_is_counted(tiny_model: Path, tmp_path: Path) -> None:
    found = needs(settings(tiny_model), tmp_path, 10, everything)
    assert found == {
        "clips": 800_000,
        "keyframes": round(10 * 4 * 512 * 288 * 0.2),
        "tables": 10 * (2000 + 8 * 512),
        "training": found["training"],
    }
    more = {"keyframes": {"max_frames": 8, "jpeg_quality": 100}, "instructions": {"max_tokens": 1024}}
    larger = needs(settings(tiny_model, **more), tmp_path, 10, everything)
    assert larger["keyframes"] == round(10 * 8 * 512 * 288 * 0.45)
    assert larger["tables"] == 10 * (2000 + 8 * 1024)


@pytest.mark.parametrize("target", ["all-linear", "q_proj,v_proj"])
def test_training_counts_the_adapter_that_is_trained(tiny_model: Path, tmp_path: Path, target: Any) -> None:
    from model import lora

    options = lora.LoraOptions(r=3, target=target)
    model = lora.attach(lora.load(tiny_model, device="cpu")[0], options, "tiny")
    numbers = sum(parameter.numel() for _, parameter in lora.trainable(model))
    chosen = settings(tiny_model, finetune={"r": 3, "target": target})
    assert needs(chosen, tmp_path, 0, everything) == {"training": 12 * 4 * numbers}


def test_weights_that_are_yet_to_be_fetched_are_counted_once(tmp_path: Path) -> None:
    found = needs(settings(weights.DEFAULT), tmp_path, 0, everything)
    assert found == {"weights": weights.room(weights.DEFAULT)}
    assert found["weights"] > 500_000_000


def test_detectors_that_are_yet_to_be_fetched_are_counted(tiny_model: Path, tmp_path: Path) -> None:
    def detectors(share: Any = everything, **tables: Any) -> int:
        return needs(settings(tiny_model, **tables), tmp_path, 0, share).get("detectors", 0)

    assert detectors() == 0
    face, bodies = {"keyframes": {"face_model": "yunet"}}, {"captions": {"people": True}}
    assert detectors(**face) == face_weights.REGISTRY["yunet"].wheel_size + face_weights.REGISTRY["yunet"].size
    assert detectors(**bodies) == PEOPLE.wheel_size + PEOPLE.size
    both = {"captions": {"people": True, "objects": True}}
    assert detectors(**both) == detectors(**bodies) + OBJECTS.wheel_size + OBJECTS.size + OBJECTS_LAYERS.size
    assert detectors(**face, **both) == detectors(**face) + detectors(**both)
    assert detectors(lambda stage: float(stage == "captions"), **face, **both) == detectors(**both)
    assert detectors(lambda stage: float(stage == "keyframes"), **face, **both) == detectors(**face)
    off = {"captions": {"enabled": False, "objects": True}}
    assert detectors(**off) == detectors(keyframes={"enabled": False}, **both) == 0
    assert detectors(ingest={"corpus": "meld", "folder": "."}, **face, **both) == 0, "it has no videos"


def test_what_is_done_or_off_needs_nothing(tiny_model: Path, tmp_path: Path) -> None:
    half = needs(settings(tiny_model), tmp_path, 10, lambda stage: 0.5 if stage == "keyframes" else 0.0)
    assert half == {"keyframes": round(10 * 4 * 512 * 288 * 0.2 / 2)}
    assert list(check_disk.all_of(settings(tiny_model), tmp_path, 10, lambda _stage: 0.0)) == []
    off = settings(tiny_model, ingest={"corpus": "meld", "folder": "."}, finetune={"enabled": False})
    assert [*needs(off, tmp_path, 10, everything)] == ["tables"]
    text = FinetuneSettings(model=str(tmp_path / "none"))
    assert needs({**settings(tiny_model), "finetune": text}, tmp_path, 0, everything) == {}


def test_a_disk_that_is_too_small_is_an_error() -> None:
    needed = {"weights": 1_500_000_000, "clips": 500_000_000}
    enough, full = fits(needed, 2_000_000_000), fits(needed, 1_999_999_999)
    assert (enough.level, enough.detail) == ("info", "about 2.0 GB needed (weights 1.5 GB, clips 500 MB), 2.0 GB free")
    assert (full.level, full.check) == ("error", "disk")
    assert "make room" in full.detail


def test_the_room_is_that_of_the_folder_or_of_the_nearest_above(tmp_path: Path) -> None:
    size = os.statvfs(tmp_path)
    assert 0 < free_bytes(tmp_path / "not" / "there") <= size.f_blocks * size.f_frsize
    (tmp_path / "file").write_text("")
    assert free_bytes(tmp_path / "file" / "workspace") > 0
