"""The training loop: AdamW over an adapter, dev scores after each epoch, exact resume after any kill.

Every random choice (order of the examples, dropout) is a function of the seed and the step, so a run that was
killed and goes on from its last checkpoint ends with the same adapter, bit for bit on a CPU with as many threads.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model import checkpoints, lora, training_step
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.training_plan import Example, TrainOptions, batches, n_steps
from model.training_state import Made, State, finish, finished, made_of, resume, steps_of

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
DevScore = Callable[[], tuple[float, float]]
"""Scores the development rows with the model as it stands: (loss in nats per answer token, weighted F1)."""


def train(
    model: Any,
    examples: Sequence[Example],
    folder: Path,
    options: TrainOptions,
    *,
    base: str = "",
    dev: DevScore | None = None,
    share: bool = True,
    helpers: training_step.Helpers | None = None,
    progress: Progress | None = None,
) -> Iterator[TrainingStep]:
    """Train ``model``'s adapter and leave it in ``folder/adapter``; yields one TrainingStep per optimizer step.

    ``base`` identifies the base weights and is recorded (``training_state.base_of``). ``dev`` is called at the end
    of each epoch and of the run. ``helpers`` are other processes that compute with this one.

    Goes on from the last checkpoint in ``folder/checkpoints``, yielding the steps before it again from its log;
    a finished run (``folder/training.json``) only yields its log. What lies there of other options or examples is set
    aside. Raises TrainingError, naming the utterances, where a loss is not finite or memory does not suffice, and
    where a checkpoint cannot be written; the last checkpoint stays.
    """
    report = progress or (lambda _done, _total, _what: None)
    made = made_of(examples, options, base)
    if (done := finished(folder, made)) is not None:
        yield from done
        return
    optimizer = _optimizer(model, options)
    state = resume(folder, made, model, optimizer)
    yield from steps_of(state.log)
    total = n_steps(len(examples), options)
    for batch, epoch, ends_epoch in batches(examples, options, state.step, total):
        if options.patience and state.stale >= options.patience:
            log.info(
                "no better dev score for %d epochs: training ends at step %d of %d", state.stale, state.step, total
            )
            break
        state.step += 1
        row = training_step.take(model, optimizer, batch, state, total, options, share, helpers) | {"epoch": epoch}
        if dev and (ends_epoch or state.step == total):
            row |= _score(dev, model, folder, state, options)
        state.log.append(row)
        if state.step % options.checkpoint_every == 0 or state.step == total:
            _save(folder, made, model, optimizer, state, options)
        report(state.step, total, "steps")
        yield TrainingStep(**row)
    record = {"made_of": made, "base": base, "log": state.log}
    finish(model, folder, record, best=options.keep == "best" and dev is not None)


def _optimizer(model: Any, options: TrainOptions) -> Any:
    import torch

    return torch.optim.AdamW(
        [parameter for _, parameter in lora.trainable(model)],
        lr=options.learning_rate,
        betas=(0.9, options.beta2),
        weight_decay=options.weight_decay,
    )


def _score(dev: DevScore, model: Any, folder: Path, state: State, options: TrainOptions) -> dict[str, Any]:
    """The dev scores, as columns of the log; the adapter is kept where it is the best so far."""
    loss, weighted_f1 = dev()
    if not math.isfinite(loss):
        raise TrainingError(f"step {state.step}: the dev loss is not finite; lower learning_rate")
    score = loss if options.best_by == "loss" else -weighted_f1
    state.stale += 1
    if score < state.best:
        state.best, state.stale = score, 0
        with _kept(folder, state):
            checkpoints.save_best(folder / "checkpoints", model)
    return {"dev_loss": loss, "dev_weighted_f1": weighted_f1}


def _save(folder: Path, made: Made, model: Any, optimizer: Any, state: State, options: TrainOptions) -> None:
    record = {"made_of": made, **asdict(state)}
    with _kept(folder, state):
        checkpoints.save(folder / "checkpoints", state.step, model, optimizer, record, options.keep_checkpoints)


@contextmanager
def _kept(folder: Path, state: State) -> Iterator[None]:
    """What is written inside is whole or not there: where the disk is full the run ends, and goes on from before."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        names = [path.name for path in checkpoints.steps(folder / "checkpoints")]
        raise TrainingError(
            f"step {state.step}: {folder} cannot be written ({error}); the checkpoints before are whole "
            f"({', '.join(names) or 'none yet'}): make room, then run again"
        ) from error
