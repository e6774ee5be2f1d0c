"""Dev rows are scored as test rows are, and kept apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flows.settings import validate
from model.dialogue import Instruction, Prediction, Rejected
from model.errors import SettingsError
from tasks import calibrate, evaluate
from tasks.calibrate import STAGE, CalibrateSettings
from tasks.stage import Context

pytestmark = pytest.mark.usefixtures("one_thread")


def row(turn: int, answer: str = "joy") -> Instruction:
    text = f"Name the emotion.\nRoss: {'oh ' * (turn + 1)}\n"
    return Instruction(f"demo/dev/0/{turn}", "sound", (("user", text),), text, answer, 9, (), None)


ROWS = [row(turn, ("joy", "anger")[turn % 2]) for turn in range(4)]


def test_scores_are_those_of_evaluate(tiny_model: Path, tmp_path: Path) -> None:
    context = Context(cache=tmp_path, folder=tmp_path)
    given = {"model": str(tiny_model)}
    ours = list(STAGE.run({"instructions": ROWS}, CalibrateSettings(**given), context))
    theirs = list(evaluate.STAGE.run({"instructions": ROWS}, evaluate.EvaluateSettings(**given), context))
    assert [replace(one, seconds=0.0) for one in ours] == [replace(one, seconds=0.0) for one in theirs]
    assert all(isinstance(one, Prediction) for one in ours)


def test_what_is_rejected_is_its_own(tiny_model: Path, tmp_path: Path) -> None:
    context = Context(cache=tmp_path, folder=tmp_path)
    (found,) = STAGE.run({"instructions": [row(0, "hungry")]}, CalibrateSettings(model=str(tiny_model)), context)
    assert isinstance(found, Rejected)
    assert (found.stage, found.reason) == ("calibrate", "unknown_gold")


def test_it_is_off_and_sees_dev_alone() -> None:
    assert not CalibrateSettings().enabled
    assert not CalibrateSettings().untuned
    assert (STAGE.splits, STAGE.writes, calibrate.STAGE.after) == ({"dev"}, "dev_predictions", ("finetune",))


def test_dev_is_scored_as_test_is() -> None:
    asked = {"normalise": "mean", "batch_size": 4, "share": 0.5, "untuned": True}
    found = validate({"name": "x", "model": "m", "calibrate": {"enabled": True}, "evaluate": asked}, "x.toml")
    fitted = found["calibrate"].model_dump()
    assert (fitted["normalise"], fitted["batch_size"], fitted["model"]) == ("mean", 4, "m")
    assert (fitted["share"], fitted["untuned"]) == (1.0, False)


def test_dev_scored_otherwise_than_test_is_a_fault_and_a_fault_of_evaluate_is_told_once() -> None:
    with pytest.raises(SettingsError, match=r"calibrate\.normalise: must be what evaluate\.normalise is; leave it out"):
        validate({"name": "x", "calibrate": {"enabled": True, "normalise": "mean"}}, "x.toml")
    with pytest.raises(SettingsError, match=r"has 1 fault:\n  evaluate\.batch_size"):
        validate({"name": "x", "calibrate": {"enabled": True}, "evaluate": {"batch_size": 0}}, "x.toml")
