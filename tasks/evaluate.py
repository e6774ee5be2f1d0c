"""evaluate: the probability of every label for each test row, by the tuned and by the untuned model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from pydantic import Field

from model import lora, packing, training_state, weights
from model.dialogue import Instruction, Prediction, Rejected
from model.errors import TrainingError
from model.predictor import Normalise
from tasks.label_scoring import ScoredRow, gold_of, score_rows
from tasks.stage import Context, Rows, Stage, StageSettings

_in_use = Lock()  # one model a process; switching its adapter off is not for two threads at once


class EvaluateSettings(StageSettings):
    """How the test rows are scored."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"model", "batch_size", "threads"})

    model: str = weights.DEFAULT
    """The base model; the same as finetune.model."""

    untuned: bool = True
    """Score the base model without the adapter as well (system "untuned"); always done where nothing was tuned."""

    normalise: Normalise = "sum"
    """"sum": a label's probability is that of all of its tokens. "mean": their log-probabilities are averaged first."""

    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the test dialogues that is scored, chosen by a digest of their names and the seed; 1.0 is all."""

    batch_size: int = Field(default=16, ge=1)
    """Prompts scored at a time."""

    threads: int | None = Field(default=None, ge=1)
    """CPU threads; default: as many as torch chooses."""

    seed: int = 0
    """Seed of the choice of dialogues where share is below 1."""


def run(rows: Rows, settings: EvaluateSettings, context: Context) -> Iterator[Prediction | Rejected]:
    """A Prediction per row and system, rows in their order; a row whose gold label is unknown is rejected, and so is a
    system's answer whose scores are not finite."""
    yield from predictions(rows, settings, context, stage=STAGE.name)


def predictions(
    rows: Rows, settings: EvaluateSettings, context: Context, *, stage: str
) -> Iterator[Prediction | Rejected]:
    """The same of whatever split ``rows`` are of, for the stage of that name."""
    mine = [row for row in rows["instructions"] if chosen(row.utterance_id, settings)]
    usable = [row for row in mine if gold_of(row) is not None]
    for row in mine:
        if gold_of(row) is None:
            detail = f"the answer {row.answer!r} names no label of its corpus; mend the corpus"
            yield Rejected(row.utterance_id, stage, "unknown_gold", detail)
    if usable:
        for found in _predict(usable, settings, context):
            yield replace(found, stage=stage) if isinstance(found, Rejected) else found


def identity(settings: EvaluateSettings) -> Mapping[str, str]:
    """What else decides the scores: the base weights (the adapter's key is in the key already)."""
    return {"model": weights.identity(settings.model)}


def chosen(utterance_id: str, settings: EvaluateSettings) -> bool:
    """Whether the utterance's dialogue is of the share that is scored."""
    dialogue = utterance_id.rsplit("/", 1)[0]
    drawn = hashlib.sha256(f"{settings.seed}/{dialogue}".encode()).digest()
    return int.from_bytes(drawn[:8]) < settings.share * 2**64


def _predict(
    rows: Sequence[Instruction], settings: EvaluateSettings, context: Context
) -> Iterator[Prediction | Rejected]:
    import torch

    if settings.threads:
        torch.set_num_threads(settings.threads)
    folder = weights.resolve(settings.model, context.cache, progress=context.progress)
    adapter = _adapter(settings, context)
    systems = (["tuned"] if adapter else []) + (["untuned"] if settings.untuned or not adapter else [])
    total, done = len(systems) * len(rows), 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        context.progress(done, total, "predictions")

    found: list[Prediction | Rejected] = []
    with _in_use:
        model, tokenizer, share = _load(folder, adapter, _stamp(adapter))
        for system in systems:
            with nullcontext(model) if system == "tuned" else lora.untuned(model) as scorer:
                scored = score_rows(
                    scorer,
                    tokenizer,
                    rows,
                    share=share,
                    normalise=settings.normalise,
                    batch_size=settings.batch_size,
                    progress=report,
                )
            found += [_prediction(one, system) for one in scored]
    yield from found


def _prediction(one: ScoredRow, system: str) -> Prediction | Rejected:
    if not all(map(isfinite, one.scored.probabilities)):
        detail = f"the {system} model's scores are not finite; train it again with a lower finetune.learning_rate"
        return Rejected(one.row.utterance_id, "evaluate", "no_score", detail)
    best = one.labels[one.scored.best]
    return Prediction(
        utterance_id=one.row.utterance_id,
        system=system,
        gold=one.labels[one.gold],
        predicted=best,
        scores=dict(zip(one.labels, one.scored.probabilities, strict=True)),
        raw=best,
        seconds=one.scored.seconds,
    )


def _adapter(settings: EvaluateSettings, context: Context) -> Path | None:
    """The folder of the adapter, None where tuning is off. Raises TrainingError if its base was another model."""
    if "finetune" not in context.folders:
        return None
    trained_on = training_state.base_of(context.folders["finetune"])
    if trained_on is None:
        raise TrainingError("there is no finished adapter; run the finetune stage first")
    if trained_on != weights.identity(settings.model):
        raise TrainingError(f"the adapter was not trained on {settings.model}; set evaluate.model to finetune.model")
    return context.folders["finetune"] / "adapter"


def _stamp(adapter: Path | None) -> int:
    """Changes when the adapter is trained anew in the same folder."""
    return (adapter / "adapter_model.safetensors").stat().st_mtime_ns if adapter else 0


@lru_cache(maxsize=1)
def _load(folder: Path, adapter: Path | None, _stamp: int) -> tuple[Any, Any, bool]:
    model, tokenizer = lora.load(folder, adapter)
    return model, tokenizer, packing.supported(model)


STAGE = Stage(
    name="evaluate",
    version=1,
    reads=("instructions",),
    after=("finetune",),
    writes="predictions",
    row=Prediction,
    settings=EvaluateSettings,
    run=run,
    splits=frozenset({"test"}),
    identity=identity,
    gpu=True,
)
