"""Several processes train the adapter that one would, up to rounding, and a run outlives their death."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from model import checkpoints, lora, packing, trainer
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.training_helper import read
from model.training_plan import Example, TrainOptions
from model.training_processes import Helpers, Job, flat, helpers, put

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = TrainOptions(
    learning_rate=3e-3, batch_size=5, micro_batch=2, epochs=2, checkpoint_every=2, weight_decay=0.1, seed=5, keep="last"
)
ANSWERS = ("joy", "anger and then some more of it", "fear")
"""Of very different lengths: a mean over rows, or of processes' means, would be another loss."""


class Killed(BaseException):
    pass


class Machine:
    """Starts the training anew, as often as it is asked to, in one folder."""

    def __init__(self, base: Path, folder: Path, processes: int, options: TrainOptions = OPTIONS, **job: Any) -> None:
        self.base, self.folder, self.options = base, folder, options
        self.adapter = lora.LoraOptions(r=4, dropout=0.0)
        self.job = Job(str(base), self.adapter, options, processes, **{"share": True, **job})
        self.made: Helpers | None = None

    def run(self, kill_at: int | None = None, lose_at: int | None = None) -> list[TrainingStep]:
        base, tokenizer = lora.load(self.base, device="cpu")
        model = lora.attach(base, self.adapter, "tiny", seed=5)
        lines = [f"Name the emotion.\nRoss: {'well, ' * (k % 4)}line {k}\n" for k in range(12)]
        items = [packing.encode(tokenizer, line, [ANSWERS[k % 3]]) for k, line in enumerate(lines)]
        examples = [Example(f"meld/train/0/{k}", item, 1.0 + k % 2) for k, item in enumerate(items)]

        def progress(step: int, _total: int, _what: str) -> None:
            if step == kill_at:
                raise Killed
            if step == lose_at and self.made:
                os.kill(self.made.running[0].pid, signal.SIGKILL)

        with helpers(model, examples, self.job) as self.made:
            given: dict[str, Any] = {"share": self.job.share, "helpers": self.made, "progress": progress}
            return list(trainer.train(model, examples, self.folder, self.options, base="tiny", **given))

    def numbers(self) -> dict[str, Any]:
        from safetensors.torch import load_file

        return dict(load_file(self.folder / "adapter" / "adapter_model.safetensors"))


def same(ours: Machine, theirs: Machine) -> None:
    import torch

    pairs = [(value, theirs.numbers()[name]) for name, value in ours.numbers().items()]
    assert all(torch.allclose(a, b, atol=2e-5) for a, b in pairs)
    assert max(float(a.abs().max()) for a, _ in pairs) > 0.01


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
    assert [process.poll() for process in machine.made.running] == [0]


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
    assert all(process.poll() is not None for process in machine.made.running)  # none is left behind
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


def test_a_process_that_cannot_start_is_told(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path / "out", 2)
    machine.job = dataclasses.replace(machine.job, base=str(tmp_path / "nothing"))
    with pytest.raises(TrainingError, match=r"training process 1 ended \(1\): .* cannot be loaded"):
        machine.run()
    assert not (tmp_path / "out").exists()


def test_what_a_helper_reads_is_what_was_written(tmp_path: Path) -> None:
    import json

    item = packing.Item((1, 2), ((3,), (4, 5)))
    examples = [Example("a", item, 0.5, 1, (0.1, -2.0)), Example("b", item)]
    job = Job("base", lora.LoraOptions(r=2), OPTIONS, 2, share=False, recompute=True, threads=3)
    path = tmp_path / "job.json"
    path.write_text(json.dumps({**dataclasses.asdict(job), "examples": [dataclasses.asdict(one) for one in examples]}))
    assert read(path) == (job, examples)


def test_flat_and_put_are_opposites(tiny_model: Path) -> None:
    import torch

    model = lora.attach(lora.load(tiny_model, device="cpu")[0], lora.LoraOptions(r=2), "tiny")
    numbers = torch.arange(len(flat(model)), dtype=torch.float32)
    put(model, numbers)
    assert torch.equal(flat(model), numbers)
    assert not flat(model, gradients=True).any()
    put(model, numbers * 2, gradients=True)
    assert torch.equal(flat(model, gradients=True), numbers * 2)
