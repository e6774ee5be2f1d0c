"""The real pipeline keeps the contract of its stages."""

from __future__ import annotations

from dataclasses import fields

import pytest

from model.dialogue import SPLITS
from storage.tables import ROWS
from tasks.stage import Stage
from tasks.stages import BY_NAME, STAGES, producer


def test_the_order_is_the_documented_one() -> None:
    names = "ingest keyframes captions instructions finetune calibrate evaluate score report"
    assert [stage.name for stage in STAGES] == list(BY_NAME) == names.split()


def test_every_stage_reads_only_what_an_earlier_one_made() -> None:
    made: set[str] = set()
    for stage in STAGES:
        assert {*stage.reads} <= made
        assert {*stage.after} <= {earlier.name for earlier in STAGES[: STAGES.index(stage)]}
        assert stage.writes not in made
        made.add(stage.writes)
        assert producer(stage.writes) is stage


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_a_stage_writes_the_rows_of_its_table(stage: Stage) -> None:
    assert ROWS[stage.writes] is stage.row
    assert fields(stage.row)
    assert stage.splits <= {*SPLITS}
    assert stage.version >= 1
    assert "train" in stage.splits or not stage.examples


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_every_setting_has_a_help_and_a_default(stage: Stage) -> None:
    for name, field in stage.settings.model_fields.items():
        assert field.description, f"{stage.name}.{name} has no docstring"
        assert not field.is_required(), f"{stage.name}.{name} has no default"
    assert {*stage.settings.model_fields} >= stage.settings.NOT_IN_KEY


def test_what_learns_never_sees_the_test_split() -> None:
    assert BY_NAME["finetune"].splits == {"train", "dev"}
    assert BY_NAME["calibrate"].splits == {"dev"}
    assert BY_NAME["evaluate"].splits == {"test"}


def test_no_other_stage_that_has_a_model_is_handed_the_test_split() -> None:
    """Keyframes, captions and prompts are made of every line alike; score and report read what was predicted."""
    assert [stage.name for stage in STAGES if "finetune" in stage.after and "test" in stage.splits] == ["evaluate"]
