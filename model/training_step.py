"""One step of the optimizer: the batch's gradient, computed a few rows at a time, and what the log says of it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from model import lora
from model.errors import TrainingError
from model.packing import fits_window, n_computed
from model.training_loss import losses, n_terms
from model.training_plan import Example, TrainOptions, learning_rate
from model.training_state import State

log = logging.getLogger(__name__)

_NO_MEMORY = re.compile("out of memory|can't allocate memory|not enough memory|bad_alloc", re.IGNORECASE)


class Helpers(Protocol):
    """Other processes that compute with this one (training_processes.py); ``processes`` counts it too."""

    processes: int

    def gradient(self, rows: Sequence[Example], size: int, step: int) -> float:
        """The loss of a batch, computed ``size`` rows at a time; its gradient is left in the parameters.

        Raises MemoryError where memory runs out in any of them.
        """


def take(
    model: Any,
    optimizer: Any,
    batch: Sequence[Example],
    state: State,
    total: int,
    options: TrainOptions,
    share: bool,
    helpers: Helpers | None = None,
) -> dict[str, Any]:
    """Step ``state.step``; the log's row without its epoch.

    Where memory runs out ``state.micro_batch`` becomes half of what it was and the step begins again, once in a run.
    Raises TrainingError, naming the rows, where a loss or the gradient is not finite, and where memory runs out again.
    """
    import torch

    start = time.perf_counter()
    rate = learning_rate(state.step, total, options)
    for group in optimizer.param_groups:
        group["lr"] = rate
    rows = sorted(batch, key=lambda example: (example.task, len(example.item.prompt)))
    processes = helpers.processes if helpers else 1
    loss = _gradient(model, rows, state, options, share, helpers)
    norm = torch.nn.utils.clip_grad_norm_([p for _, p in lora.trainable(model)], options.clip)
    if not torch.isfinite(norm):
        names = ", ".join(example.utterance_id for example in batch)
        raise TrainingError(f"step {state.step}: the gradient is not finite (batch {names}); lower learning_rate")
    optimizer.step()
    size, shares = state.micro_batch or options.micro_batch, [rows[rank::processes] for rank in range(processes)]
    parts = [[row.item for row in part] for one in shares for part in parts_of(one, size)]
    return {
        "step": state.step,
        "loss": loss,
        "learning_rate": rate,
        "gradient_norm": float(norm),
        "tokens": sum(len(example.item.prompt) + example.item.n_targets for example in batch),
        "unique_tokens": sum(n_computed(part, share=share and fits_window(model, part)) for part in parts),
        "seconds": time.perf_counter() - start,
        "memory_mib": memory_mib(),
    }


def memory_mib() -> float:
    """The most memory that this process has held so far, in MiB: on its GPU where it has one, else of the machine."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated()) / 2**20
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def _gradient(
    model: Any, rows: Sequence[Example], state: State, options: TrainOptions, share: bool, helpers: Helpers | None
) -> float:
    size = state.micro_batch or options.micro_batch
    while True:
        try:
            if helpers:
                return helpers.gradient(rows, size, state.step)
            return accumulate(model, rows, size, state.step, options, share)
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            names = ", ".join(row.utterance_id for row in rows)
            if state.micro_batch or size == 1:
                raise TrainingError(
                    f"step {state.step}: out of memory with {size} rows at a time (batch {names}); "
                    "set a smaller finetune.micro_batch or instructions.max_tokens"
                ) from error
        state.micro_batch = size = size // 2  # here, where the failed computation is no longer held by the error
        let_go(model)
        log.warning(
            "step %d: out of memory; from here on %d rows at a time, the batch stays %d rows",
            *(state.step, size, options.batch_size),
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether it says that memory ran out, of the machine or of a GPU."""
    return isinstance(error, MemoryError) or bool(_NO_MEMORY.search(str(error)))


def let_go(model: Any) -> None:
    """Gives back what a computation that failed has left."""
    import torch

    for _, parameter in lora.trainable(model):
        parameter.grad = None
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def accumulate(
    model: Any,
    rows: Sequence[Example],
    size: int,
    step: int,
    options: TrainOptions,
    share: bool,
    *,
    terms: int | None = None,
    rank: int = 0,
    idle: Sequence[Sequence[Example]] = (),
) -> float:
    """The rows' loss; its gradient is left in the parameters, None where there are no rows.

    ``terms`` is what both are divided by, if the rows are a part of a batch: process ``rank``'s. ``idle`` are rows that
    are computed too and count for nothing.
    """
    import torch

    for _, parameter in lora.trainable(model):
        parameter.grad = None
    terms = terms or n_terms(rows, options.loss_on)
    kept: list[tuple[list[Example], torch.Tensor]] = []
    model.train()
    with torch.random.fork_rng():
        # the step's dropout, the same after a resume
        torch.manual_seed(options.seed * 1_000_003 + step + rank * 2**40)
        for part in parts_of(rows, size):
            found = losses(model, part, options.loss_on, share=share)
            (found.sum() / terms).backward()
            kept.append((part, found.detach()))
        for unpaid in idle:
            (losses(model, unpaid, options.loss_on, share=share).sum() * 0.0).backward()
    for part, found in kept:  # not before: to look at a number makes a GPU finish all that it has been told
        _require_finite(found, part, step)
    return sum(float(found.sum() / terms) for _, found in kept)


def parts_of(rows: Sequence[Example], size: int) -> Iterator[list[Example]]:
    """What is computed together: so many rows at most, of one task."""
    for _, group in groupby(rows, key=lambda row: row.task):
        some = list(group)
        yield from (some[first : first + size] for first in range(0, len(some), size))


def _require_finite(found: Any, part: Sequence[Example], step: int) -> None:
    finite = found.isfinite().tolist()
    if not all(finite):
        names = [example.utterance_id for example, good in zip(part, finite, strict=True) if not good]
        raise TrainingError(
            f"step {step}: the loss of {', '.join(names)} is not finite; "
            "the last checkpoint is kept. Lower learning_rate, or look at these rows"
        )
