from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from model import atomic, checkpoints, lora, packing, trainer, training_state
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.training_plan import Example, TrainOptions

pytestmark = pytest.mark.usefixtures("one_thread")

OPTIONS = TrainOptions(
    learning_rate=3e-3, batch_size=4, micro_batch=3, epochs=2, checkpoint_every=3, weight_decay=0.1, seed=5
)
N_STEPS = 8
LINES = [f"Name the emotion.\nRoss: {'well, ' * (k % 4)}line {k}\n" for k in range(15)]


class Killed(BaseException):
    pass


class Machine:
    """Starts the training process anew, as often as it is asked to, in one folder."""

    def __init__(self, model_folder: Path, folder: Path, options: TrainOptions = OPTIONS) -> None:
        self.model_folder, self.folder, self.options = model_folder, folder, options
        self.dev_losses: Sequence[float] = ()

    def run(self, kill_at: int | None = None) -> list[TrainingStep]:
        base, tokenizer = lora.load(self.model_folder, device="cpu")
        model = lora.attach(base, lora.LoraOptions(r=4, dropout=0.3), "tiny", seed=5)
        examples = [
            Example(f"meld/train/0/{k}", packing.encode(tokenizer, line, [("joy", "anger", "fear")[k % 3]]))
            for k, line in enumerate(LINES)
        ]

        def dev() -> tuple[float, float | None]:
            import torch

            model.eval()
            with torch.no_grad():
                loss = -float(packing.answer_log_probs(model, [example.item for example in examples]).mean())
            return (self.dev_losses[0] if self.dev_losses else loss), 0.5

        def progress(step: int, total: int, _what: str) -> None:
            assert total == N_STEPS or self.options != OPTIONS
            if step == kill_at:
                raise Killed

        return list(trainer.train(model, examples, self.folder, self.options, base="tiny", dev=dev, progress=progress))

    def adapter(self) -> bytes:
        return (self.folder / "adapter" / "adapter_model.safetensors").read_bytes()


def without_time(steps: Sequence[TrainingStep]) -> list[TrainingStep]:
    return [dataclasses.replace(step, seconds=0.0) for step in steps]


@pytest.fixture(scope="module")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[TrainingStep]]:
    machine = Machine(tiny_model, tmp_path_factory.mktemp("whole"))
    steps = machine.run()
    return machine.adapter(), without_time(steps)


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
    assert without_time(steps) == uninterrupted[1]


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
    assert without_time(steps) == uninterrupted[1]


def test_killed_before_the_adapter_is_declared_done(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path)

    def die(*_given: Any) -> None:
        raise Killed

    monkeypatch.setattr(atomic, "write_json", die)
    with pytest.raises(Killed):
        machine.run()
    monkeypatch.undo()
    assert training_state.base_of(tmp_path) is None
    assert without_time(machine.run()) == uninterrupted[1]
    assert machine.adapter() == uninterrupted[0]


def test_a_finished_run_is_not_repeated_and_leaves_no_checkpoints(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path)
    steps = machine.run()
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "training.json"}
    assert training_state.base_of(tmp_path) == "tiny"
    assert machine.run(kill_at=1) == steps  # would be killed if it made a step
    shutil.rmtree(tmp_path / "adapter")
    with pytest.raises(Killed):
        machine.run(kill_at=1)


def test_at_most_two_checkpoints_are_kept(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, checkpoint_every=1))
    with pytest.raises(Killed):
        machine.run(kill_at=5)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [
        "best",
        "step-00000004",
        "step-00000005",
    ]


def test_checkpoints_of_other_options_are_not_used(
    tiny_model: Path, tmp_path: Path, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    other = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, learning_rate=1e-2))
    with pytest.raises(Killed):
        other.run(kill_at=6)
    machine = Machine(tiny_model, tmp_path)
    assert without_time(machine.run()) == uninterrupted[1]
    assert machine.adapter() == uninterrupted[0]


def test_micro_batches_change_rounding_only(
    tiny_model: Path, tmp_path: Path, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, micro_batch=1, max_steps=1))
    (step,) = machine.run()
    assert step.loss == pytest.approx(uninterrupted[1][0].loss, rel=0.01)  # other dropout, same rows


@pytest.mark.parametrize(("keep", "same"), [("best", False), ("last", True)])
def test_the_best_or_the_last_adapter_is_kept(
    tiny_model: Path,
    tmp_path: Path,
    keep: Any,
    same: bool,
    uninterrupted: tuple[bytes, list[TrainingStep]],
) -> None:
    machine = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, keep=keep))
    machine.dev_losses = [1.0]  # the second epoch is no better than the first
    machine.run()
    assert (machine.adapter() == uninterrupted[0]) == same


def test_a_loss_that_is_not_finite_names_its_rows_and_keeps_the_checkpoint(
    tiny_model: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    machine = Machine(tiny_model, tmp_path)
    real = trainer.answer_log_probs
    calls = 0

    def poisoned(model: Any, items: Any, **given: Any) -> Any:
        nonlocal calls
        calls += 1
        found = real(model, items, **given)
        return found / 0 if calls == 8 else found  # four steps of 15 rows make seven micro-batches

    monkeypatch.setattr(trainer, "answer_log_probs", poisoned)
    with pytest.raises(TrainingError, match=r"step 5: the loss of meld/train/0/\d+, .* is not finite"):
        machine.run()
    assert [path.name for path in checkpoints.steps(tmp_path / "checkpoints")] == ["step-00000003"]


def test_a_dev_loss_that_is_not_finite_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path)
    machine.dev_losses = [float("nan")]
    with pytest.raises(TrainingError, match="dev loss is not finite"):
        machine.run()


def test_training_leaves_torchs_generator_alone(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    state = torch.get_rng_state()
    Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, max_steps=1)).run()
    assert torch.equal(torch.get_rng_state(), state)
