"""What a training run will do, step by step: its options, the order of its rows and its learning rate."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from model.packing import Item

LossOn = Literal["answer", "all"]
BestBy = Literal["loss", "weighted_f1"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """``max_steps`` overrides ``epochs``, ``warmup_steps`` overrides ``warmup``, a share of all steps.

    ``micro_batch`` rows are computed at a time (their gradients add up to the batch's). ``keep``: the adapter of the
    best dev score (``best_by``), or the last one. ``patience``: epochs without a better one after which the run ends.
    """

    learning_rate: float = 1e-3
    beta2: float = 0.95
    weight_decay: float = 0.0
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.05
    warmup_steps: int | None = None
    epochs: int = 1
    max_steps: int | None = None
    batch_size: int = 16
    micro_batch: int = 16
    clip: float = 1.0
    loss_on: LossOn = "answer"
    checkpoint_every: int = 50
    keep_checkpoints: int = 2
    keep: Literal["best", "last"] = "best"
    best_by: BestBy = "loss"
    patience: int | None = None
    group_by_length: bool = True
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """One training row. ``weight`` multiplies its loss.

    ``item`` has one answer; with ``offsets`` it has one for each label, ``gold`` is the right one's place, and the
    offsets (nats) are added to the labels' scores before the loss compares them. Rows of one ``task`` are computed
    together: their prompts begin alike.
    """

    utterance_id: str
    item: Item
    weight: float = 1.0
    gold: int = 0
    offsets: tuple[float, ...] = ()
    task: str = "emotion"


def n_steps(n_examples: int, options: TrainOptions) -> int:
    per_epoch = math.ceil(n_examples / options.batch_size)
    return options.max_steps or per_epoch * options.epochs


def learning_rate(step: int, total: int, options: TrainOptions) -> float:
    """The rate of step 1…``total``: linear warm-up, then a cosine to 10 %, a line to 0, or constant."""
    warmup = round(options.warmup * total) if options.warmup_steps is None else options.warmup_steps
    if step <= warmup:
        return options.learning_rate * step / warmup
    done = (step - warmup - 1) / max(total - warmup, 1)
    share = {"cosine": 0.1 + 0.45 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}
    return options.learning_rate * share[options.schedule]


def epoch_order(lengths: Sequence[int], options: TrainOptions, epoch: int) -> list[list[int]]:
    """The batches of one epoch as row numbers: shuffled; with ``group_by_length``, of rows of similar length."""
    chance = random.Random(f"{options.seed}/{epoch}")
    order = list(range(len(lengths)))
    chance.shuffle(order)
    size = options.batch_size
    if options.group_by_length:
        pool = 16 * size
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        order = [row for part in pools for row in sorted(part, key=lambda row: lengths[row])]
    parts = [order[start : start + size] for start in range(0, len(order), size)]
    chance.shuffle(parts)
    return parts


def batches(
    examples: Sequence[Example], options: TrainOptions, done: int, total: int
) -> Iterator[tuple[list[Example], float, bool]]:
    """Each remaining step's rows, the epochs done with it, and whether it ends an epoch."""
    lengths = [len(example.item.prompt) for example in examples]
    per_epoch = math.ceil(len(examples) / options.batch_size)
    order: list[list[int]] = []
    for step in range(done, total):
        epoch, place = divmod(step, per_epoch)
        if place == 0 or not order:
            order = epoch_order(lengths, options, epoch)
        yield [examples[row] for row in order[place]], (step + 1) / per_epoch, place == per_epoch - 1
