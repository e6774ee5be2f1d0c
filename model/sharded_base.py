"""A frozen base whose weights are shared out over the processes of a run: torch's ``fully_shard`` (FSDP).

Each process holds its part of every layer and borrows the rest while it computes that layer. The adapter is no part of
that: each process has all of it, so that steps, checkpoints and files are as ever. What a layer borrows comes from all
processes at once, so all must compute as often as one another: in a step those that have fewer rows compute one more
for nothing, and while process 0 scores the dev rows the others go through the model with one token each time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from model import lora


def load_where(device: str, precision: lora.Precision) -> tuple[str, lora.Precision]:
    """Where and in what numbers to load a base that will be shared out: on the CPU, so that no GPU ever holds it all,
    in those that it would have on ``device``."""
    on_gpu = device.startswith("cuda")
    return "cpu", ("bfloat16" if on_gpu else "float32") if precision == "auto" else precision


def backends(device: str) -> str:
    return "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"


def share_out(model: Any, device: str) -> None:
    """From here on this process holds its part of ``model``'s frozen weights, on ``device``. All processes call it."""
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    # it warns of models whose result is changed in place; packing.py changes nothing
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    kind = device.partition(":")[0]
    if kind == "cuda":
        torch.cuda.set_device(device)
    mesh = init_device_mesh(kind, (torch.distributed.get_world_size(),))
    adapter = {parameter for _, parameter in lora.trainable(model)}
    for parameter in adapter:
        parameter.data = parameter.data.to(device)
    for layer in [module for module in model.modules() if type(module).__name__ in layers(model)]:
        fully_shard(layer, mesh=mesh, ignored_params=adapter)
    fully_shard(model, mesh=mesh, ignored_params=adapter, reshard_after_forward=True)


def layers(model: Any) -> set[str]:
    """Names of the classes of a model's blocks, as transformers knows them."""
    return set(model.get_base_model()._no_split_modules or ())


def pass_through(model: Any) -> None:
    """One token through the model, for the sake of the others."""
    import torch

    model.eval()
    with torch.no_grad():
        model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), use_cache=False)


class Announced:
    """Tells the others of each pass of process 0 through a shared-out model that is not part of a step.

    To be made after ``share_out``, so that it speaks before the weights are borrowed.
    """

    def __init__(self, model: Any, announce: Callable[[], None]) -> None:
        self._in_step = False
        self._announce = announce
        model.register_forward_pre_hook(self._before, prepend=True)

    def _before(self, *_given: Any) -> None:
        if not self._in_step:
            self._announce()

    @contextmanager
    def step(self) -> Iterator[None]:
        self._in_step = True
        try:
            yield
        finally:
            self._in_step = False
