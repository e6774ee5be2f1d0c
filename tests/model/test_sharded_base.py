"""A base that is shared out trains and scores as a whole one; and what becomes of a run where one process fails."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from group_machine import OPTIONS, Killed, Machine, hungry, same

from model import lora, packing, sharded_base, training_group
from model.errors import TrainingError
from model.training_group import Meeting, Place
from model.training_plan import Example
from model.training_processes import Job, gradient_of_share

pytestmark = pytest.mark.usefixtures("one_thread")


def test_dev_scores_uneven_shares_and_a_resumed_run_are_those_of_one_process(tiny_model: Path, tmp_path: Path) -> None:
    """Five rows a batch, two at a time: three passes of process 0, two of the other."""
    options = dataclasses.replace(OPTIONS, keep="best", epochs=2)
    alone = Machine(tiny_model, tmp_path / "alone", 1, options, scored=True)
    steps = alone.run()
    machine = Machine(tiny_model, tmp_path / "shared", 2, options, scored=True, shard=True, recompute=True)
    with pytest.raises(Killed):
        machine.run(kill_at=4)
    found = machine.run()
    assert [step.dev_loss or 0 for step in found] == pytest.approx([step.dev_loss or 0 for step in steps], rel=1e-5)
    assert [step.loss for step in found] == pytest.approx([step.loss for step in steps], rel=1e-5)
    same(machine, alone)
    ours, theirs = (
        json.loads((one.folder / "adapter" / "adapter_config.json").read_text()) for one in (machine, alone)
    )
    assert ours == theirs


def test_a_lost_process_ends_the_run(tiny_model: Path, tmp_path: Path) -> None:
    machine = Machine(tiny_model, tmp_path, 2, shard=True)
    with pytest.raises(
        TrainingError, match=r"step 4: training process 1 ended \(-9\): no message; the last checkpoint"
    ):
        machine.run(lose_at=3)


def test_frozen_weights_alone_are_shared_out(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    base, tokenizer = lora.load(tiny_model, device="cpu")
    packing.supported(base)
    model = lora.attach(base, lora.LoraOptions(r=2), "tiny")
    items = [packing.encode(tokenizer, "Ross: well\n", ["joy"])]
    with torch.no_grad():
        plain = packing.answer_log_probs(model.eval(), items)
    meet = str(tmp_path / "meet")
    with training_group.joined(Place(0, 1, meet), Meeting(meet, lead=True)):
        sharded_base.share_out(model, "cpu")
        kinds = {(parameter.requires_grad, type(parameter).__name__) for parameter in model.parameters()}
        assert kinds == {(True, "Parameter"), (False, "DTensor")}
        told: list[int] = []
        announced = sharded_base.Announced(model, lambda: told.append(1))
        with torch.no_grad():
            assert torch.equal(packing.answer_log_probs(model.eval(), items), plain)
        with announced.step():
            sharded_base.pass_through(model)
        assert told == [1]
        hungry(monkeypatch)  # the others would wait inside the model: nothing is halved
        job = Job(str(tiny_model), lora.LoraOptions(r=2), OPTIONS, 1, share=True, shard=True)
        with pytest.raises(TrainingError, match=r"step 3: out of memory with 2 rows at a time; set a smaller finetune"):
            gradient_of_share(model, [Example("a", items[0])] * 2, job, size=2, step=3, rank=0)


def test_the_base_is_loaded_on_the_cpu_in_the_numbers_of_its_device() -> None:
    assert sharded_base.load_where("cuda:1", "auto") == ("cpu", "bfloat16")
    assert sharded_base.load_where("cpu", "auto") == ("cpu", "float32")
    assert sharded_base.load_where("cuda", "float32") == ("cpu", "float32")
    assert sharded_base.backends("cuda:1") == "cpu:gloo,cuda:nccl"
    assert sharded_base.backends("cpu") == "gloo"
