from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from model.dialogue import TrainingStep
from model.errors import TrainingError
from tasks import training_board
from tasks.training_board import logged, require


def step(number: int, dev: float | None = None) -> TrainingStep:
    return TrainingStep(number, number / 2, 1.0 / number, 1e-3, 0.5, 80, 2.0, dev, dev, 40, None)


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder)).Reload()
    return {tag: [(one.step, one.value) for one in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def test_the_files_hold_the_log_of_the_last_attempt(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own, of protobuf and numpy
        assert list(logged([step(1)], tmp_path / "board")) == [step(1)]

        def killed() -> Iterator[TrainingStep]:
            yield step(1)
            yield step(2, 0.25)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            list(logged(killed(), tmp_path / "board"))
        found = read(tmp_path / "board")
    assert found["train/loss"] == [(1, 1.0), (2, 0.5)]
    assert found["dev/loss"] == found["dev/weighted_f1"] == [(2, 0.25)]
    assert found["train/tokens_per_s"] == [(1, 40.0), (2, 40.0)]
    assert "train/memory_mib" not in found


def test_without_tensorboard_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        return None

    monkeypatch.setattr(training_board, "find_spec", absent)
    with pytest.raises(TrainingError, match=r"dialoguellm\[tensorboard\]"):
        require()
