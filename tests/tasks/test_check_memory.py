from __future__ import annotations

from pathlib import Path

import pytest

from model import weights
from tasks import caption_cost
from tasks.captions import CaptionsSettings
from tasks.check import check
from tasks.check_memory import all_of, machine_memory
from tasks.stages import STAGES

GIB = 2**30


def test_only_models_of_the_table_are_told_of() -> None:
    assert list(all_of(CaptionsSettings())) == []
    assert list(all_of(CaptionsSettings(model="smolvlm2-256m", enabled=False))) == []


def test_a_model_larger_than_the_machine_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = CaptionsSettings(model="smolvlm2-500m")
    total = machine_memory()
    needed = {"value": (total, "memory, in float32")}
    monkeypatch.setattr(caption_cost, "memory", lambda _settings: needed["value"])
    (fits,) = all_of(settings)
    assert (fits.level, fits.check, fits.id) == ("info", "memory", "smolvlm2-500m")
    assert f"about {total / 1e9:.1f} GB of memory, in float32, for 16 utterances at once" in fits.detail
    needed["value"] = (total + GIB, "memory, in float32")
    (too_large,) = all_of(settings)
    assert too_large.level == "warning"
    assert "lower captions.batch_size, or choose a smaller model" in too_large.detail
    needed["value"] = (total + GIB, "GPU memory, in bfloat16")
    (unknown,) = all_of(settings)
    assert unknown.level == "info", "how much a GPU has is not asked"


def test_more_frames_than_recommended_is_a_warning() -> None:
    found = list(all_of(CaptionsSettings(model="smolvlm2-256m", max_frames=9)))
    assert [(one.level, one.check) for one in found if one.check == "frames"] == [("warning", "frames")]


def test_check_tells_it(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_commit", lambda *_: "0" * 40)
    named = {stage: {"model": str(tiny_model)} for stage in ("instructions", "finetune", "evaluate")}
    named["captions"] = {"model": "smolvlm2-256m"}
    found = check({stage.name: stage.settings.model_validate(named.get(stage.name, {})) for stage in STAGES}, tmp_path)
    told = {(one.check, one.id): one.detail for one in found}
    assert "for 16 utterances at once" in told["memory", "smolvlm2-256m"]
    assert "a run fetches it first" in told["weights", "smolvlm2-256m"]
