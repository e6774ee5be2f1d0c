from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from training_machine import OPTIONS, Killed, Machine, without_machine

from model import checkpoints, training_loss, training_step
from model.dialogue import TrainingStep
from model.errors import TrainingError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[TrainingStep]]:
    machine = Machine(tiny_model, tmp_path_factory.mktemp("whole"))
    steps = machine.run()
    return machine.adapter(), without_machine(steps)


def test_micro_batches_change_rounding_only(
    tiny_model: Path, tmp_path: Path, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, micro_batch=1, max_steps=1))
    (step,) = machine.run()
    assert step.loss == pytest.approx(uninterrupted[1][0].loss, rel=0.01)  # other dropout, same rows


def test_a_loss_that_is_not_finite_names_its_rows_and_keeps_the_checkpoint(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    machine = Machine(tiny_model, tmp_path)
    real = training_loss.answer_log_probs
    calls = 0

    def poisoned(model: Any, items: Any, **given: Any) -> Any:
        nonlocal calls
        calls += 1
        found = real(model, items, **given)
        return found / 0 if calls == 8 else found  # four steps of 15 rows make seven micro-batches

    monkeypatch.setattr(training_loss, "answer_log_probs", poisoned)
    with pytest.raises(TrainingError, match=r"step 5: the loss of meld/train/0/\d+, .* is not finite"):
        machine.run()
    assert [path.name for path in checkpoints.steps(tmp_path / "checkpoints")] == ["step-00000003"]


def test_training_leaves_torchs_generator_alone(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    state = torch.get_rng_state()
    Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, max_steps=1)).run()
    assert torch.equal(torch.get_rng_state(), state)


def limited(monkeypatch: Any, most: int) -> list[int]:
    """A machine that has memory for so many rows at a time; the sizes of what was tried."""
    import torch

    tried: list[int] = []
    real = training_loss.answer_log_probs

    def hungry(model: Any, items: Any, **given: Any) -> Any:
        tried.append(len(items))
        if len(items) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(model, items, **given)

    monkeypatch.setattr(training_loss, "answer_log_probs", hungry)
    return tried


def test_out_of_memory_halves_the_micro_batch_once(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any, caplog: Any
) -> None:
    machine = Machine(tiny_model, tmp_path / "small", dataclasses.replace(OPTIONS, micro_batch=2), dropout=0.0)
    small = machine.run()
    hungry = Machine(tiny_model, tmp_path / "hungry", dataclasses.replace(OPTIONS, micro_batch=4), dropout=0.0)
    tried = limited(monkeypatch, 2)
    with pytest.raises(Killed):
        hungry.run(kill_at=4)
    assert tried[:3] == [4, 2, 2]
    assert without_machine(hungry.run()) == without_machine(small)
    assert hungry.adapter() == machine.adapter()
    assert tried.count(4) == 1  # what was found out is in the checkpoint
    assert "step 1: out of memory; from here on 2 rows at a time, the batch stays 4 rows" in caplog.text


def test_out_of_memory_again_says_what_to_do(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, micro_batch=4))
    limited(monkeypatch, 1)
    with pytest.raises(TrainingError, match=r"step 1: out of memory with 2 rows at a time \(batch .*micro_batch"):
        machine.run()


def test_another_runtime_error_is_not_taken_for_want_of_memory(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    def broken(*_given: Any, **_named: Any) -> Any:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(training_loss, "answer_log_probs", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        Machine(tiny_model, tmp_path).run()


def test_the_log_says_what_was_computed_and_held(uninterrupted: tuple[bytes, list[TrainingStep]]) -> None:
    for step in uninterrupted[1]:
        assert step.unique_tokens is not None
        assert 0 < step.unique_tokens < step.tokens
    assert training_step.memory_mib() > 100  # torch alone


def test_rows_of_two_tasks_are_not_computed_together(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    sizes = limited(monkeypatch, 100)
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, micro_batch=4, max_steps=2))
    machine.tasks = ["speaker", "emotion", "speaker"] * 5
    machine.run()
    assert len(sizes) == 4  # two steps, each of both tasks
