"""The training loop: AdamW over an adapter, loss on the answer tokens alone, exact resume after any kill.

Every random choice (order of the examples, dropout) is a function of the seed and the step, so a run that was
killed and goes on from its last checkpoint ends with the same adapter, bit for bit on a CPU with as many threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model import atomic, checkpoints, lora
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.packing import answer_log_probs
from model.training_plan import Example, TrainOptions, batches, learning_rate, n_steps
from model.training_state import State, finish, finished, pin_of, resume, steps_of

Progress = Callable[[int, int, str], None]
DevScore = Callable[[], tuple[float, float | None]]
"""Scores the development rows with the model as it stands: (loss in nats per answer token, weighted F1 or None)."""


def train(
    model: Any,
    examples: Sequence[Example],
    folder: Path,
    options: TrainOptions,
    *,
    base: str = "",
    dev: DevScore | None = None,
    share: bool = True,
    progress: Progress | None = None,
) -> Iterator[TrainingStep]:
    """Train ``model``'s adapter and leave it in ``folder/adapter``; yields one TrainingStep per optimizer step.

    ``base`` identifies the base weights and is recorded (``training_state.base_of``). ``dev`` is called at the end
    of each epoch and of the run.

    Goes on from the last checkpoint in ``folder/checkpoints``, yielding the steps before it again from its log;
    a finished run (``folder/training.json``) only yields its log. State of other options or examples is removed.
    Raises TrainingError, naming the utterances, where a loss is not finite; the last checkpoint stays.
    """
    import torch

    report = progress or (lambda _done, _total, _what: None)
    pin = pin_of(examples, options, base)
    if (done := finished(folder, pin)) is not None:
        yield from done
        return
    saved = folder / "checkpoints"
    optimizer = torch.optim.AdamW(
        [parameter for _, parameter in lora.trainable(model)],
        lr=options.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=options.weight_decay,
    )
    state = resume(saved, pin, model, optimizer)
    yield from steps_of(state.log)
    total = n_steps(len(examples), options)
    for batch, epoch, ends_epoch in batches(examples, options, state.step, total):
        state.step += 1
        row = _step(model, optimizer, batch, state.step, total, epoch, options, share)
        if dev and (ends_epoch or state.step == total):
            row |= _score(dev, model, saved, state)
        state.log.append(row)
        if state.step % options.checkpoint_every == 0 or state.step == total:
            checkpoints.save(saved, state.step, model, optimizer, {"pin": pin, **asdict(state)})
        report(state.step, total, "steps")
        yield TrainingStep(**row)
    record = {"pin": pin, "base": base, "log": state.log}
    finish(model, folder, record, best=options.keep == "best" and dev is not None)


def _step(
    model: Any,
    optimizer: Any,
    batch: list[Example],
    step: int,
    total: int,
    epoch: float,
    options: TrainOptions,
    share: bool,
) -> dict[str, Any]:
    import torch

    start = time.perf_counter()
    rate = learning_rate(step, total, options)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.zero_grad(set_to_none=True)
    rows = sorted(batch, key=lambda example: len(example.item.prompt))
    n_tokens = sum(example.item.n_targets for example in rows)
    loss = 0.0
    model.train()
    with torch.random.fork_rng():
        torch.manual_seed(options.seed * 1_000_003 + step)  # the step's dropout, the same after a resume
        for first in range(0, len(rows), options.micro_batch):
            part = rows[first : first + options.micro_batch]
            sums = answer_log_probs(model, [example.item for example in part], share=share)
            _require_finite(sums, part, step)
            part_loss = -sums.sum() / n_tokens
            part_loss.backward()
            loss += float(part_loss.detach())
    norm = torch.nn.utils.clip_grad_norm_([p for _, p in lora.trainable(model)], options.clip)
    if not torch.isfinite(norm):
        names = ", ".join(example.utterance_id for example in batch)
        raise TrainingError(f"step {step}: the gradient is not finite (batch {names}); lower learning_rate")
    optimizer.step()
    return {
        "step": step,
        "epoch": epoch,
        "loss": loss,
        "learning_rate": rate,
        "gradient_norm": float(norm),
        "tokens": sum(len(example.item.prompt) + example.item.n_targets for example in batch),
        "seconds": time.perf_counter() - start,
    }


def _require_finite(sums: Any, part: Sequence[Example], step: int) -> None:
    finite = sums.isfinite().tolist()
    if not all(finite):
        names = [example.utterance_id for example, good in zip(part, finite, strict=True) if not good]
        raise TrainingError(
            f"step {step}: the loss of {', '.join(names)} is not finite; "
            "the last checkpoint is kept. Lower learning_rate, or look at these rows"
        )


def _score(dev: DevScore, model: Any, saved: Path, state: State) -> dict[str, Any]:
    loss, weighted_f1 = dev()
    if not math.isfinite(loss):
        raise TrainingError(f"step {state.step}: the dev loss is not finite; lower learning_rate")
    if loss < state.best:
        state.best = loss
        atomic.replace_folder(saved / "best", lambda work: lora.save(model, work))
    return {"dev_loss": loss, "dev_weighted_f1": weighted_f1}
