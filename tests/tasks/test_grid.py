"""Labels, names and values of cells."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from model.errors import SettingsError
from storage.ledger import safe_name
from tasks.grid import LONGEST_NAME, fault_of_key, flatten, literal, product, run_name, short_names, size


def test_a_product_names_its_cells_by_what_they_set() -> None:
    axes = dict(flatten({"instructions": {"context": [0, "all"]}, "finetune": {"enabled": [True, False]}}))
    assert size(axes) == 4
    assert dict(product(axes)) == {
        "context-0.finetune-on": {"instructions.context": 0, "finetune.enabled": True},
        "context-0.finetune-off": {"instructions.context": 0, "finetune.enabled": False},
        "context-all.finetune-on": {"instructions.context": "all", "finetune.enabled": True},
        "context-all.finetune-off": {"instructions.context": "all", "finetune.enabled": False},
    }
    assert size({}) == 0
    assert list(product({})) == []


def test_axes_that_end_alike_keep_their_whole_name() -> None:
    assert short_names(["captions.prompt", "finetune.model", "captions.model"]) == {
        "captions.prompt": "prompt",
        "finetune.model": "finetune-model",
        "captions.model": "captions-model",
    }
    (label, _), *_ = product({"finetune.model": ["org/some model@1"]})
    assert label == "model-org-some-model-1"
    assert safe_name(label)


def test_a_long_name_is_cut_and_stays_another_than_others() -> None:
    names = {run_name("grid." + "x" * 80 + end) for end in ("1", "2")}
    assert len(names) == 2
    assert all(len(name) == LONGEST_NAME and safe_name(name) for name in names)
    assert run_name("short") == "short"


@pytest.mark.parametrize("value", [0, 1e-05, True, "all", 'a "b" – \\ 😀', [1, [2]], {"a b": 1, "c": {"d": "e"}}])
def test_a_value_survives_the_command_line(value: Any) -> None:
    assert tomllib.loads(f"value = {literal(value)}")["value"] == value


def test_a_value_that_toml_cannot_hold_on_one_line_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be a value of a grid"):
        literal(None)
    with pytest.raises(SettingsError, match="cannot be a value of a grid"):
        literal("\x7f")


def test_a_wrong_name_is_told_with_the_nearest_right_one() -> None:
    assert fault_of_key("instructions.context") is None
    assert fault_of_key("model") is None
    assert fault_of_key("ingest.parts.0.folder") is None
    assert fault_of_key("finetune.epoch") == "finetune.epoch: no such setting; finetune.epochs?"
    assert "stages are ingest, keyframes" in str(fault_of_key("zzzzqqqq"))
    assert "is the grid's own" in str(fault_of_key("calibrate.enabled"))
