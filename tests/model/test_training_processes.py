"""Several processes train the adapter that one would, up to rounding, and a run outlives their death."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from group_machine import OPTIONS, Killed, Machine, same

from model import checkpoints, lora, packing, training_workers
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.training_helper import example_of, job_of
from model.training_plan import Example
from model.training_processes import Job, flat, put

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def alone(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Machine, list[TrainingStep]]:
    machine = Machine(tiny_model, tmp_path_factory.mktemp("alone"), 1)
    return machine, machine.run()


@pytest.mark.parametrize("share", [True, False])
def test_two_processes_train_what_one_does(
    share: bool, alone: tuple[Machine, list[TrainingStep]], tiny_model: Path, tmp_path: Path
) -> None:
    machine = Machine(tiny_model, tmp_path, 2, share=share, recompute=share)
    steps = machine.run()
    assert [step.step for step in steps] == list(range(1, 7))
    for ours, theirs in zip(steps, alone[1], strict=True):
        assert ours.loss == pytest.approx(theirs.loss, rel=1e-4)
        assert ours.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-3)
        assert ours.tokens == theirs.tokens
    same(machine, alone[0])
    assert machine.made is not None
    assert [process.poll() for process in machine.made.workers.running] == [0]


def test_more_processes_than_rows_and_labels_that_are_compared(
    alone: tuple[Machine, list[TrainingStep]], tiny_model: Path, tmp_path: Path
) -> None:
    """The last batch of an epoch has two rows, for three processes."""
    machine = Machine(tiny_model, tmp_path, 3)
    machine.run()
    same(machine, alone[0])


def test_killed_and_taken_up_with_another_number_of_processes(
    alone: tuple[Machine, list[TrainingStep]], tiny_model: Path, tmp_path: Path
) -> None:
    machine = Machine(tiny_model, tmp_path, 2)
    with pytest.raises(Killed):
        machine.run(kill_at=3)
    assert machine.made is not None
    assert all(process.poll() is not None for process in machine.made.workers.running)  # none is left behind
    again = Machine(tiny_model, tmp_path, 1)
    steps = again.run()
    assert [step.step for step in steps] == list(range(1, 7))
    same(again, alone[0])


def test_a_lost_process_ends_the_run_which_goes_on_from_its_checkpoint(
    alone: tuple[Machine, list[TrainingStep]], tiny_model: Path, tmp_path: Path
) -> None:
    machine = Machine(tiny_model, tmp_path, 2)
    with pytest.raises(
        TrainingError, match=r"step 4: training process 1 ended \(-9\): no message; the last checkpoint"
    ):
        machine.run(lose_at=3)
    assert [path.name for path in checkpoints.steps(tmp_path / "checkpoints")] == ["step-00000002"]
    machine.run()
    same(machine, alone[0])


def test_memory_that_runs_out_in_one_process_halves_the_micro_batch_of_all(
    alone: tuple[Machine, list[TrainingStep]],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The first batch is one of two rows, one for each process."""
    monkeypatch.setattr(training_workers, "PROGRAM", "hungry_helper")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    machine = Machine(tiny_model, tmp_path, 2, dataclasses.replace(OPTIONS, micro_batch=3))
    machine.run()
    assert caplog.text.count("out of memory") == 1
    assert "step 2: out of memory; from here on 1 rows at a time, the batch stays 5 rows" in caplog.text
    same(machine, alone[0])


def test_a_loss_of_another_process_that_is_not_finite_names_its_row(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path, 2)
    machine.poisoned = 5
    with pytest.raises(
        TrainingError, match=r"step \d: .*the loss of meld/train/0/5 is not finite; the last checkpoint"
    ):
        machine.run()


def test_a_process_that_cannot_start_is_told(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path / "out", 2)
    machine.job = dataclasses.replace(machine.job, base=str(tmp_path / "nothing"))
    with pytest.raises(TrainingError, match=r"training process 1 ended \(1\): no model .*nothing"):
        machine.run()
    assert not (tmp_path / "out").exists()


def test_what_a_helper_reads_is_what_was_written() -> None:
    item = packing.Item((1, 2), ((3,), (4, 5)))
    for example in (Example("a", item, 0.5, 1, (0.1, -2.0)), Example("b", item)):
        assert example_of(json.loads(json.dumps(dataclasses.asdict(example)))) == example
    job = Job("base", lora.LoraOptions(r=2), OPTIONS, 2, share=False, recompute=True, threads=3)
    assert job_of(json.dumps(dataclasses.asdict(job))) == job


def test_flat_and_put_are_opposites(tiny_model: Path) -> None:
    import torch

    model = lora.attach(lora.load(tiny_model, device="cpu")[0], lora.LoraOptions(r=2), "tiny")
    numbers = torch.arange(len(flat(model)), dtype=torch.float32)
    put(model, numbers)
    assert torch.equal(flat(model), numbers)
    assert not flat(model, gradients=True).any()
    put(model, numbers * 2, gradients=True)
    assert torch.equal(flat(model, gradients=True), numbers * 2)
