"""evaluate: what the tuned and the untuned model say of each test row, or a model that a server runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from model import lora, packing, training_state, weights
from model.dialogue import Instruction, Prediction, Rejected
from model.errors import TrainingError
from model.generation import generate
from model.server_answerer import ServerAnswerer
from tasks.evaluate_settings import EvaluateSettings
from tasks.label_scoring import gold_of, score_rows
from tasks.said import from_constrained, from_scores, from_text
from tasks.stage import Context, Rows, Stage

_in_use = Lock()  # one model a process; switching its adapter off is not for two threads at once


def run(rows: Rows, settings: EvaluateSettings, context: Context) -> Iterator[Prediction | Rejected]:
    """A Prediction per row and system, rows in their order; rejected are rows whose gold label is unknown, answers
    whose scores are not finite, and rows that a server gave no answer to. ServerError where it cannot be used."""
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
        yield from (_served if settings.server else _in_process)(usable, settings, context, stage)


def identity(settings: EvaluateSettings) -> Mapping[str, str]:
    """What else decides the answers: the base weights (the adapter's key is in the key already).

    A server's weights cannot be pinned: of those only the name is known. Another address is not another key.
    """
    return {"model": f"server:{settings.model}" if settings.server else weights.identity(settings.model)}


def chosen(utterance_id: str, settings: EvaluateSettings) -> bool:
    """Whether the utterance's dialogue is of the share that is scored."""
    dialogue = utterance_id.rsplit("/", 1)[0]
    drawn = hashlib.sha256(f"{settings.seed}/{dialogue}".encode()).digest()
    return int.from_bytes(drawn[:8]) < settings.share * 2**64


def _served(
    rows: Sequence[Instruction], settings: EvaluateSettings, context: Context, stage: str
) -> Iterator[Prediction | Rejected]:
    """What a server's model answers; the system goes by the model's name."""
    with _in_use:
        answerer = _connect(settings)
    made = answerer.answer(
        [row.messages for row in rows],
        settings.max_new_tokens,
        lambda done: context.progress(done, len(rows), "answers"),
    )
    for row, one in zip(rows, made, strict=True):
        yield from_text(row, one, settings.model, stage)


def _in_process(
    rows: Sequence[Instruction], settings: EvaluateSettings, context: Context, stage: str
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
        loaded = _load(folder, adapter, _stamp(adapter))
        for system in systems:
            with nullcontext() if system == "tuned" else lora.untuned(loaded[0]):
                found += _by(settings, loaded, rows, system, stage, report)
    yield from found


def _by(
    settings: EvaluateSettings,
    loaded: tuple[Any, Any, bool],
    rows: Sequence[Instruction],
    system: str,
    stage: str,
    progress: Callable[[int], None],
) -> list[Prediction | Rejected]:
    """What the model as it stands says of ``rows``, by ``settings.method``."""
    model, tokenizer, share = loaded
    size = settings.batch_size
    if settings.method == "generate":
        prompts = [row.prompt for row in rows]
        made = generate(model, tokenizer, prompts, settings.decoding(), batch_size=size, progress=progress)
        return [from_text(row, one, system, stage) for row, one in zip(rows, made, strict=True)]
    options: dict[str, Any] = {"share": share, "batch_size": size, "progress": progress}
    scored = score_rows(model, tokenizer, rows, normalise=settings.normalise, **options)
    told = from_scores if settings.method == "score" else from_constrained
    return [told(one, system, stage) for one in scored]


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
def _connect(settings: EvaluateSettings) -> ServerAnswerer:
    """One for all shards, so that they share its limits."""
    return ServerAnswerer(settings.server_of(), settings.model, settings.server_requests)


@lru_cache(maxsize=1)
def _load(folder: Path, adapter: Path | None, _stamp: int) -> tuple[Any, Any, bool]:
    model, tokenizer = lora.load(folder, adapter)
    return model, tokenizer, packing.supported(model)


STAGE = Stage(
    name="evaluate",
    version=3,
    reads=("instructions",),
    after=("finetune",),
    writes="predictions",
    row=Prediction,
    settings=EvaluateSettings,
    run=run,
    splits=frozenset({"test"}),
    identity=identity,
    totals=("n_prompt_tokens", "n_tokens"),
    gpu=True,
    apart=True,
)
