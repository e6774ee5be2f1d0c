"""The training loop: AdamW over an adapter, loss on the answer tokens alone, exact resume after any kill.

Every random choice (order of the examples, dropout) is a function of the seed and the step, so a run that was
killed and goes on from its last checkpoint ends with the same adapter, bit for bit on a CPU with as many threads.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from model import checkpoints, lora
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.packing import answer_log_probs
from model.training_plan import Example, TrainOptions, batches, learning_rate, n_steps

Progress = Callable[[int, int, str], None]
DevScore = Callable[[], tuple[float, float | None]]
"""Scores the development rows with the model as it stands: (loss in nats per answer token, weighted F1 or None)."""


@dataclass(slots=True)
class _State:
    step: int = 0
    best: float = math.inf
    log: list[dict[str, Any]] = field(default_factory=list)


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

    ``base`` identifies the base weights; ``base_of(folder)`` returns it later. ``dev`` is called at the end of
    each epoch and of the run.

    Goes on from the last checkpoint in ``folder/checkpoints``, yielding the steps before it again from its log;
    a finished run (``folder/training.json``) only yields its log. State of other options or examples is removed.
    Raises TrainingError, naming the utterances, where a loss is not finite; the last checkpoint stays.
    """
    import torch

    report = progress or (lambda _done, _total, _what: None)
    pin = _pin(examples, options, base)
    if (finished := _finished(folder, pin)) is not None:
        yield from finished
        return
    saved = folder / "checkpoints"
    optimizer = torch.optim.AdamW(
        [parameter for _, parameter in lora.trainable(model)],
        lr=options.learning_rate,
        betas=(0.9, 0.95),
        weight_decay=options.weight_decay,
    )
    state = _resume(saved, pin, model, optimizer)
    yield from _steps_of(state.log)
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
    _finish(
        model, folder, {"pin": pin, "base": base, "log": state.log}, best=options.keep == "best" and dev is not None
    )


def base_of(folder: Path) -> str | None:
    """Identity of the base weights that the finished run in ``folder`` was trained on, None if there is no such run."""
    return checkpoints.read_json(folder / "training.json").get("base")


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


def _score(dev: DevScore, model: Any, saved: Path, state: _State) -> dict[str, Any]:
    loss, weighted_f1 = dev()
    if not math.isfinite(loss):
        raise TrainingError(f"step {state.step}: the dev loss is not finite; lower learning_rate")
    if loss < state.best:
        state.best = loss
        checkpoints.replace_folder(saved / "best", lambda work: lora.save(model, work))
    return {"dev_loss": loss, "dev_weighted_f1": weighted_f1}


def _pin(examples: Sequence[Example], options: TrainOptions, base: str) -> str:
    """What a checkpoint must share with a run that goes on from it."""
    fixed = asdict(options) | {"micro_batch": None, "checkpoint_every": None}
    total = hashlib.sha256(json.dumps([base, fixed], sort_keys=True).encode())
    for example in examples:
        total.update(repr((example.utterance_id, example.item.prompt, example.item.answers)).encode())
    return total.hexdigest()


def _resume(saved: Path, pin: str, model: Any, optimizer: Any) -> _State:
    for checkpoint in reversed(checkpoints.steps(saved)):
        state = checkpoints.read_json(checkpoint / "state.json")
        if state.pop("pin", None) == pin:
            checkpoints.restore(checkpoint, model, optimizer)
            return _State(**state)
    shutil.rmtree(saved, ignore_errors=True)
    return _State()


def _finished(folder: Path, pin: str) -> list[TrainingStep] | None:
    found = checkpoints.read_json(folder / "training.json")
    if found.get("pin") != pin or not (folder / "adapter" / "adapter_model.safetensors").is_file():
        return None
    return _steps_of(found["log"])


def _steps_of(log: Sequence[dict[str, Any]]) -> list[TrainingStep]:
    return [TrainingStep(**row) for row in log]


def _finish(model: Any, folder: Path, record: dict[str, Any], *, best: bool) -> None:
    """Put the adapter in place, then say so in training.json, then drop the checkpoints: a kill loses nothing."""
    chosen = folder / "checkpoints" / "best"

    def fill(work: Path) -> None:
        if best:
            shutil.copytree(chosen, work, dirs_exist_ok=True)
        else:
            lora.save(model, work)

    checkpoints.replace_folder(folder / "adapter", fill)
    checkpoints.replace_file(folder / "training.json", json.dumps(record))
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
