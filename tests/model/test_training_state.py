from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from training_machine import N_STEPS, OPTIONS, Killed, Machine, without_machine

from model import atomic, checkpoints, training_state
from model.dialogue import TrainingStep
from model.errors import TrainingError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def uninterrupted(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[TrainingStep]]:
    machine = Machine(tiny_model, tmp_path_factory.mktemp("whole"))
    steps = machine.run()
    return machine.adapter(), without_machine(steps)


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
    assert without_machine(machine.run()) == uninterrupted[1]
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


def test_checkpoints_of_other_options_are_set_aside(
    tiny_model: Path, tmp_path: Path, caplog: Any, uninterrupted: tuple[bytes, list[TrainingStep]]
) -> None:
    other = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, learning_rate=1e-2))
    with pytest.raises(Killed):
        other.run(kill_at=6)
    machine = Machine(tiny_model, tmp_path)
    assert without_machine(machine.run()) == uninterrupted[1]
    assert machine.adapter() == uninterrupted[0]
    assert "checkpoints of another run are set aside" in caplog.text
    assert "(learning_rate: 0.01 → 0.003); training begins anew" in caplog.text
    (aside,) = (tmp_path / "set-aside").iterdir()
    aside.rename(tmp_path / "elsewhere")  # where it still is what it was
    other.folder = tmp_path / "elsewhere"
    assert [step.step for step in other.run()] == list(range(1, N_STEPS + 1))


def test_a_finished_adapter_of_other_rows_is_set_aside(tiny_model: Path, tmp_path: Path, caplog: Any) -> None:
    first = Machine(tiny_model, tmp_path)
    first.run()
    adapter = first.adapter()
    other = Machine(tiny_model, tmp_path, dataclasses.replace(OPTIONS, max_steps=1))
    other.run()
    assert other.adapter() != adapter
    kept = tmp_path / "set-aside" / "1"
    assert {path.name for path in kept.iterdir()} == {"adapter", "training.json"}
    assert (kept / "adapter" / "adapter_model.safetensors").read_bytes() == adapter
    assert "max_steps: None → 1" in caplog.text


@pytest.mark.parametrize(
    ("name", "place"),
    [
        *((f"{kind}.safetensors", 0.5) for kind in ("adapter_model", "optimizer")),
        *(("state.json", place) for place in (0.0, 0.3, 0.5, 0.7, 0.999)),  # no JSON, or another number or name
        ("digests.json", 0.5),
    ],
)
def test_a_damaged_checkpoint_is_not_taken_up(
    tiny_model: Path,
    tmp_path: Path,
    name: str,
    place: float,
    caplog: Any,
    uninterrupted: tuple[bytes, list[TrainingStep]],
) -> None:
    machine = Machine(tiny_model, tmp_path)
    with pytest.raises(Killed):
        machine.run(kill_at=6)
    last = sorted(tmp_path.glob("checkpoints/step-*"))[-1] / name
    data = bytearray(last.read_bytes())
    data[int(len(data) * place)] ^= 1
    last.write_bytes(data)
    assert without_machine(machine.run()) == uninterrupted[1]
    assert machine.adapter() == uninterrupted[0]
    assert "is not what was written: training goes on from the checkpoint before" in caplog.text


def test_a_damaged_best_adapter_is_not_the_result(tmp_path: Path) -> None:
    best = tmp_path / "checkpoints" / "best"
    best.mkdir(parents=True)
    (best / "adapter_model.safetensors").write_bytes(b"numbers")
    checkpoints.seal(best)
    (best / "adapter_model.safetensors").write_bytes(b"numbera")
    with pytest.raises(TrainingError, match=r"adapter_model\.safetensors is not what was written.*delete"):
        training_state.finish(None, tmp_path, {}, best=True)
    (best / "adapter_model.safetensors").unlink()
    (best / checkpoints.DIGESTS).unlink()
    with pytest.raises(TrainingError, match=r"adapter_model\.safetensors is not what was written.*delete"):
        training_state.finish(None, tmp_path, {}, best=True)
    assert not (tmp_path / "training.json").exists()
