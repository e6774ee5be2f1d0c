from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from tasks.finetune_settings import PRESETS, FinetuneSettings, Preset


def test_every_preset_is_valid_and_named() -> None:
    assert {*PRESETS} == {*get_args(Preset)}
    for name, values in PRESETS.items():
        made = FinetuneSettings(preset=name)  # type: ignore[arg-type]
        assert {key: getattr(made, key) for key in values} == values


def test_the_presets_are_what_the_paper_and_its_code_say() -> None:
    """Table 2, section 4.4 and the released script; AdamW's first beta is 0.9 for all."""
    both = {"dropout": 0.05, "target": "q_proj,v_proj", "learning_rate": 3e-4, "clip": 1.0, "quantize": "off"}
    both |= {"class_weights": "off", "logit_adjust": 0.0, "speaker_task": 0.0, "patience": None, "max_steps": None}
    paper = {"r": 4, "alpha": 16, "beta2": 0.95, "weight_decay": 0.1, "schedule": "cosine", "warmup": 0.0}
    paper |= {"batch_size": 128, "micro_batch": 8, "epochs": 10, "loss_on": "answer", "keep": "last"}
    code = {"r": 8, "alpha": 64, "beta2": 0.999, "weight_decay": 0.0, "schedule": "linear", "warmup_steps": 100}
    code |= {"batch_size": 60, "micro_batch": 4, "epochs": 20, "loss_on": "all", "keep": "best", "best_by": "loss"}
    sound = {"target": "all-linear", "loss_on": "answer", "keep": "best", "best_by": "weighted_f1"}
    for name, wanted in (("paper", both | paper), ("paper-code", both | code), ("sound", sound)):
        made = FinetuneSettings(preset=name).model_dump()  # type: ignore[arg-type]
        assert {key: made[key] for key in wanted} == wanted


def test_what_is_set_wins_over_the_preset() -> None:
    made = FinetuneSettings(preset="paper", r=8, batch_size=16)
    assert (made.r, made.batch_size, made.alpha, made.target, made.epochs) == (8, 16, 16, "q_proj,v_proj", 10)
    assert FinetuneSettings.model_validate(made.model_dump()) == made


def test_the_key_says_what_is_done_and_not_by_which_name() -> None:
    quick = FinetuneSettings()
    assert FinetuneSettings(preset="quick").key_fields() == quick.key_fields()
    paper = FinetuneSettings(preset="paper")
    assert paper.key_fields() == FinetuneSettings(**PRESETS["paper"]).key_fields() != quick.key_fields()
    assert "preset" not in paper.key_fields()


def test_what_is_off_stays_out_of_the_key() -> None:
    names = {*FinetuneSettings().key_fields()}
    off = {"beta2", "warmup_steps", "patience", "loss_on", "class_weights", "logit_adjust", "best_by", "speaker_task"}
    off |= {"precision", "quantize"}
    assert not names & {*off, "keep_checkpoints", "gradient_checkpointing", "processes"}
    machine = FinetuneSettings(gradient_checkpointing=True, processes=2)
    assert machine.key_fields() == FinetuneSettings().key_fields()
    changes: list[dict[str, Any]] = [
        *({"beta2": 0.999}, {"warmup_steps": 3}, {"patience": 1}, {"loss_on": "all"}, {"class_weights": "balanced"}),
        *({"logit_adjust": 1.0}, {"best_by": "weighted_f1"}, {"speaker_task": 0.1}),
        *({"precision": "float32"}, {"precision": "bfloat16"}, {"quantize": "4bit"}),
    ]
    keys = [FinetuneSettings(**change).key_fields() for change in changes]
    assert all(keys[a] != keys[b] for a in range(len(keys)) for b in range(a))
    last = FinetuneSettings(keep="last")
    assert FinetuneSettings(keep="last", best_by="weighted_f1").key_fields() == last.key_fields()


@pytest.mark.parametrize(
    "wrong",
    [
        {"preset": "best"},
        {"preset": ["paper"]},
        {"patience": 0},
        {"precision": "float16"},
        {"quantize": "8bit"},
        {"loss_on": "all", "class_weights": "balanced"},
        {"preset": "paper-code", "logit_adjust": 1.0},
        {"speaker_task": 0.1, "logit_adjust": 1.0},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FinetuneSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"hosts": 2}, "several hosts need rendezvous"),
        ({"rendezvous": "10.0.0.1"}, "write host:port"),
        ({"shard_base": True}, "set processes or hosts"),
        ({"shard_base": True, "processes": 2, "quantize": "4bit"}, 'set quantize = "off"'),
    ],
)
def test_processes_that_cannot_be(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FinetuneSettings.model_validate(wrong)
