"""finetune: a low-rank adapter for the language model, trained on the train rows and chosen on the dev rows."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Literal

from pydantic import Field

from model import lora, packing, trainer, weights
from model.dialogue import Instruction, TrainingStep
from model.training_plan import Example, TrainOptions
from tasks.label_scoring import score_rows
from tasks.stage import Context, Rows, Stage, StageSettings
from tasks.training_gates import check

log = logging.getLogger(__name__)


class FinetuneSettings(StageSettings):
    """How the adapter is trained. The paper: r 4, alpha 16, q_proj,v_proj, 3e-4, batch 128, weight decay 0.1."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"model", "micro_batch", "threads", "checkpoint_every"})

    enabled: bool = True
    """False: nothing is trained and only the untuned model is evaluated."""

    model: str = weights.DEFAULT
    """The base model: a registered name, a folder, or a hub id org/model@revision. Its identity is in the key."""

    r: int = Field(default=16, ge=1, le=1024)
    """Rank of the adapter."""

    alpha: int = Field(default=32, ge=1)
    """Scale of the adapter: its output is multiplied by alpha / r."""

    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on the adapter's input while training."""

    target: lora.Target = "all-linear"
    """Layers that get an adapter: "all-linear", or "q_proj,v_proj" (the paper's)."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """Peak learning rate of AdamW (betas 0.9 and 0.95)."""

    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay."""

    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """After the warm-up: a cosine down to 10 %, a line down to 0, or constant."""

    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""

    epochs: int = Field(default=1, ge=1)
    """Passes over the training rows."""

    max_steps: int | None = Field(default=None, ge=1)
    """Number of optimizer steps; overrides epochs."""

    batch_size: int = Field(default=16, ge=1)
    """Rows per optimizer step."""

    micro_batch: int = Field(default=16, ge=1)
    """Rows computed at a time; less needs less memory and changes the result by rounding only."""

    clip: float = Field(default=1.0, gt=0)
    """Longest gradient; a longer one is scaled down to it."""

    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between checkpoints; a killed run repeats at most so many."""

    keep: Literal["best", "last"] = "best"
    """Which adapter is kept: that of the epoch with the lowest dev loss, or the last. Without dev rows: the last."""

    group_by_length: bool = True
    """Batches of rows of similar length: less padding."""

    max_examples: int | None = Field(default=None, ge=1)
    """Train on a random subset of so many rows, drawn by the seed; for machines that cannot do all."""

    max_dev_examples: int | None = Field(default=None, ge=1)
    """Score a random subset of so many dev rows at the end of each epoch."""

    threads: int | None = Field(default=None, ge=1)
    """CPU threads; default: as many as torch chooses."""

    seed: int = 0
    """Seed of the subset, the adapter's first numbers, the order of the rows and the dropout."""


def run(rows: Rows, settings: FinetuneSettings, context: Context) -> Iterator[TrainingStep]:
    """Trains on ``rows["instructions"]`` (train and dev); the adapter lies in ``context.folder/"adapter"`` after that.

    Resumes from ``context.folder``. Raises TrainingError before the first step where a row must not be learned
    from (tasks/training_gates.py).
    """
    import torch

    if not settings.enabled:
        return
    instructions: Sequence[Instruction] = rows["instructions"]
    train, dev = check(instructions)
    chosen = _subset(train, settings.max_examples, settings.seed)
    chosen_dev = _subset(dev, settings.max_dev_examples, settings.seed)
    if len(chosen) < len(train) or len(chosen_dev) < len(dev):
        sizes = (len(chosen), len(train), len(chosen_dev), len(dev), settings.seed)
        log.warning("a declared subset: %d of %d train rows, %d of %d dev rows, seed %d", *sizes)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    folder = weights.resolve(settings.model, context.cache, progress=context.progress)
    base, tokenizer = lora.load(folder)
    share = packing.supported(base)
    options = _options(settings)
    adapter = lora.LoraOptions(settings.r, settings.alpha, settings.dropout, settings.target)
    model = lora.attach(base, adapter, settings.model, settings.seed)
    examples = [Example(row.utterance_id, packing.encode(tokenizer, row.prompt, [row.answer])) for row in chosen]
    what = f"steps on {len(chosen)} of {len(train)} rows"
    yield from trainer.train(
        model,
        examples,
        context.folder,
        options,
        base=weights.identity(settings.model),
        dev=_dev_score(model, tokenizer, chosen_dev, share) if chosen_dev else None,
        share=share,
        progress=lambda done, total, _what: context.progress(done, total, what),
    )


def identity(settings: FinetuneSettings) -> Mapping[str, str]:
    """What else decides the adapter: the base weights."""
    return {"model": weights.identity(settings.model)} if settings.enabled else {}


def _subset(rows: Sequence[Instruction], size: int | None, seed: int) -> list[Instruction]:
    """``size`` rows drawn without replacement, in their order; all of them where there are no more."""
    if size is None or size >= len(rows):
        return list(rows)
    return [rows[index] for index in sorted(random.Random(seed).sample(range(len(rows)), size))]


def _options(settings: FinetuneSettings) -> TrainOptions:
    names = {field.name for field in fields(TrainOptions)}
    return TrainOptions(**settings.model_dump(include=names))


def _dev_score(model: Any, tokenizer: Any, rows: Sequence[Instruction], share: bool) -> trainer.DevScore:
    def score() -> tuple[float, float]:
        from sklearn.metrics import f1_score

        found = score_rows(model, tokenizer, rows, share=share)
        tokens = sum(one.scored.n_tokens[one.gold] for one in found)
        loss = -sum(one.scored.log_probs[one.gold] for one in found) / tokens
        gold = [f"{one.corpus}/{one.labels[one.gold]}" for one in found]
        best = [f"{one.corpus}/{one.labels[one.scored.best]}" for one in found]
        return loss, float(f1_score(gold, best, average="weighted", zero_division=0))

    return score


STAGE = Stage(
    name="finetune",
    version=2,
    reads=("instructions",),
    writes="training_log",
    row=TrainingStep,
    settings=FinetuneSettings,
    run=run,
    splits=frozenset({"train", "dev"}),
    unit=True,
    identity=identity,
    gpu=True,
)
