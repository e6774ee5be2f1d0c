from __future__ import annotations

import dataclasses
import resource
from pathlib import Path
from typing import Any

import pytest
from training_machine import N_STEPS, OPTIONS, Killed, Machine, without_machine

from model import checkpoints, lora, packing, training_loss
from model.dialogue import TrainingStep
from model.errors import TrainingError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[TrainingStep]]:
    machine = Machine(tiny_model, tmp_path_factory.mktemp("whole"))
    steps = machine.run()
    return machine.adapter(), without_machine(steps)


def test_a_run_learns_and_logs_every_step(uninterrupted: tuple[bytes, list[TrainingStep]]) -> None:
    _, steps = uninterrupted
    assert [step.step for step in steps] == list(range(1, N_STEPS + 1))
    assert [step.dev_loss is not None for step in steps] == [False, False, False, True] * 2
    assert steps[-1].epoch == 2.0
    assert steps[-1].dev_weighted_f1 == 0.5
    first, last = steps[3].dev_loss, steps[7].dev_loss
    assert first is not None
    assert last is not None
    assert last < first
    assert all(step.gradient_norm > 0 and step.tokens > 0 for step in steps)


@pytest.mark.parametrize("kill_at", range(1, N_STEPS + 1))
def test_killed_at_any_step_the_resumed_run_ends_the_same(
    tiny_model: Path, tmp_path: Path, kill_at: int, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path)
    with pytest.raises(Killed):
        machine.run(kill_at=kill_at)
    steps = machine.run()
    assert machine.adapter() == uninterrupted[0]
    assert without_machine(steps) == uninterrupted[1]


def test_killed_twice_and_while_writing(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path)
    with pytest.raises(Killed):
        machine.run(kill_at=4)
    real = lora.save

    def torn(model: Any, folder: Path) -> None:
        real(model, folder)
        (folder / "adapter_model.safetensors").write_bytes(b"half")
        raise Killed

    monkeypatch.setattr(lora, "save", torn)
    with pytest.raises(Killed):
        machine.run()
    monkeypatch.setattr(lora, "save", real)
    assert [path.name for path in checkpoints.steps(tmp_path / "checkpoints")] == ["step-00000003"]
    steps = machine.run()
    assert machine.adapter() == uninterrupted[0]
    assert without_machine(steps) == uninterrupted[1]


@pytest.mark.parametrize(
    ("module", "name", "call", "done"),
    [
        (training_loss, "answer_log_probs", 9, 0),  # with a part of a step's gradient made
        *((packing, "answer_log_probs", call, 0) for call in (1, 2)),  # scoring dev rows
        *((checkpoints, "save_best", call, done) for call in (1, 2) for done in (0, 1)),
        *((checkpoints, "save", call, done) for call in (1, 2, 3) for done in (0, 1)),
    ],
)
def test_killed_in_the_middle_of_a_step_a_score_or_a_checkpoint(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: Any,
    module: Any,
    name: str,
    call: int,
    done: int,
    uninterrupted: tuple[bytes, list[TrainingStep]],
) -> None:
    """Before a call of a function, or once it is done but nobody has heard of it."""
    machine, real, calls = Machine(tiny_model, tmp_path), getattr(module, name), 0

    def dying(*args: Any, **given: Any) -> Any:
        nonlocal calls
        calls += 1
        found = real(*args, **given) if calls < call + done else None
        if calls == call:
            raise Killed
        return found

    monkeypatch.setattr(module, name, dying)
    with pytest.raises(Killed):
        machine.run()
    monkeypatch.undo()
    steps = machine.run()
    assert machine.adapter() == uninterrupted[0]
    assert without_machine(steps) == uninterrupted[1]


@pytest.mark.parametrize(("keep", "kept"), [(1, [5]), (2, [4, 5]), (4, [2, 3, 4, 5])])
def test_the_last_checkpoints_are_kept(tiny_model: Path, tmp_path: Path, keep: int, kept: list[int]) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, checkpoint_every=1, keep_checkpoints=keep))
    with pytest.raises(Killed):
        machine.run(kill_at=5)
    names = ["best", *(f"step-{step:08d}" for step in kept)]
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == names


@pytest.mark.parametrize(("keep", "same"), [("best", False), ("last", True)])
def test_the_best_or_the_last_adapter_is_kept(
    tiny_model: Path,
    tmp_path: Path,
    keep: Any,
    same: bool,
    uninterrupted: tuple[bytes, list[TrainingStep]],
) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, keep=keep))
    machine.dev_scores = [(1.0, 0.5)] * 2  # the second epoch is no better than the first
    machine.run()
    assert (machine.adapter() == uninterrupted[0]) == same


def test_a_dev_loss_that_is_not_finite_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path)
    machine.dev_scores = [(float("nan"), 0.5)]
    with pytest.raises(TrainingError, match="dev loss is not finite"):
        machine.run()


# ---- the choice of the epoch, and the end of a run before its time

SCORES = [(3.0, 0.3), (2.0, 0.5), (1.0, 0.5), (0.5, 0.4), (0.4, 0.3)]
"""The loss falls for five epochs; the weighted F1 is at its best in the second."""


@pytest.mark.parametrize(("best_by", "best", "n_epochs"), [("weighted_f1", 2, 4), ("loss", 5, 5)])
def test_the_epoch_is_chosen_by_the_dev_score_and_patience_ends_the_run(
    tiny_model: Path, tmp_path: Path, best_by: Any, best: int, n_epochs: int
) -> None:
    options = dataclasses.replace(OPTIONS, epochs=5, best_by=best_by, patience=2)
    machine = Machine(tiny_model, tmp_path / "early", options)
    machine.dev_scores = list(SCORES)
    steps = machine.run()
    assert len(steps) == 4 * n_epochs
    until = Machine(tiny_model, tmp_path / "until", dataclasses.replace(options, keep="last", patience=None))
    until.dev_scores = list(SCORES)
    if best < 5:
        with pytest.raises(Killed):
            until.run(kill_at=4 * best + 1)
        kept = tmp_path / "until" / "checkpoints" / "best"
        assert (kept / "adapter_model.safetensors").read_bytes() == machine.adapter()
    else:
        until.run()
        assert until.adapter() == machine.adapter()


@pytest.mark.parametrize("kill_at", range(1, 17))
def test_killed_before_an_early_end_it_ends_the_same(tiny_model: Path, tmp_path: Path, kill_at: int) -> None:
    options = dataclasses.replace(OPTIONS, epochs=5, best_by="weighted_f1", patience=2)
    results = []
    for name, kill in (("whole", None), ("killed", kill_at)):
        machine = Machine(tiny_model, tmp_path / name, options)
        machine.dev_scores = list(SCORES)
        if kill:
            with pytest.raises(Killed):
                machine.run(kill_at=kill)
            saved = (kill // 3) * 3  # the last checkpoint; dev scores before it are not asked for again
            machine.dev_scores = SCORES[saved // 4 :]
        results.append((without_machine(machine.run()), machine.adapter()))
    assert results[0] == results[1]


def test_a_full_disk_keeps_the_last_checkpoint(
    tiny_model: Path, tmp_path: Path, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path)
    with pytest.raises(Killed):
        machine.run(kill_at=4)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most[1]))  # files end here, as on a disk without room
    try:
        with pytest.raises(TrainingError, match=r"cannot be written .*whole \(step-00000003\): make room, then run"):
            machine.run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"best", "step-00000003"}
    assert without_machine(machine.run()) == uninterrupted[1]
    assert machine.adapter() == uninterrupted[0]
