"""finetune: a low-rank adapter for the language model, trained on the train rows and chosen on the dev rows."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from model import emotions, lora, packing, sharded_base, trainer, weights
from model.chat import chat_template
from model.dialogue import Instruction, TrainingStep, corpus_of
from model.errors import TrainingError
from model.training_plan import Example, TrainOptions
from model.training_processes import Job, helpers
from tasks import class_balance, speaker_task, training_board
from tasks.finetune_settings import FinetuneSettings
from tasks.hosts import hosts_of
from tasks.label_scoring import gold_of, score_rows, words_of
from tasks.stage import Context, Rows, Stage
from tasks.training_gates import check, check_lengths, check_tokens

log = logging.getLogger(__name__)


def run(rows: Rows, settings: FinetuneSettings, context: Context) -> Iterator[TrainingStep]:
    """Trains on ``rows["instructions"]`` (train and dev); the adapter lies in ``context.folder/"adapter"`` after that.

    Resumes from ``context.folder``. Raises TrainingError before the first step where a row must not be learned
    from (tasks/training_gates.py).
    """
    import torch

    if not settings.enabled:
        return
    hosts = hosts_of(settings, context.folder.name)
    if hosts and hosts.rank:
        raise TrainingError(f"this is host {hosts.rank}: `dialoguellm run` lends its processes; host 0 trains")
    if settings.tensorboard:
        training_board.require()
    instructions: Sequence[Instruction] = rows["instructions"]
    train, dev = check(instructions)
    chosen = _subset(train, settings.max_examples, settings.seed)
    chosen_dev = _subset(dev, settings.max_dev_examples, settings.seed)
    _tell(settings, chosen, train, chosen_dev, dev)
    threads = settings.threads or max(1, torch.get_num_threads() // settings.processes)
    torch.set_num_threads(threads)
    folder = weights.resolve(settings.model, context.cache, progress=context.progress)
    base, tokenizer = _load(folder, settings)
    examples = training_examples(tokenizer, chosen, settings)
    config = base.config.get_text_config()
    check_tokens(tokenizer, chosen, [example.item for example in examples], config)
    if settings.speaker_task:
        examples += speaker_examples(tokenizer, chosen, settings, config)
    share = packing.supported(base)
    if share and (far := sum(not packing.fits_window(base, [example.item]) for example in examples)):
        log.warning("%d of %d rows are longer than the model's window: they are computed padded", far, len(examples))
    adapter = lora.LoraOptions(settings.r, settings.alpha, settings.dropout, settings.target)
    model = lora.attach(base, adapter, settings.model, settings.seed)
    if settings.gradient_checkpointing:
        lora.recompute(model)
    processes = settings.hosts * settings.processes
    job = Job(
        *(settings.model, adapter, _options(settings), processes, share, settings.precision, settings.quantize),
        recompute=settings.gradient_checkpointing,
        threads=threads,
        shard=settings.shard_base,
    )
    what = f"steps on {len(chosen)} of {len(train)} rows"
    with helpers(model, examples, job, context.cache, hosts, context.progress) as others:
        steps = trainer.train(
            model,
            examples,
            context.folder,
            job.options,
            base=weights.identity(settings.model),
            dev=_dev_score(model, tokenizer, chosen_dev, share) if chosen_dev else None,
            share=share,
            helpers=others,
            progress=lambda done, total, _what: context.progress(done, total, what),
        )
        board = context.folder / training_board.FOLDER
        yield from training_board.logged(steps, board) if settings.tensorboard else steps


def _load(folder: Path, settings: FinetuneSettings) -> tuple[Any, Any]:
    import torch

    if not settings.shard_base:
        return lora.load(folder, precision=settings.precision, quantize=settings.quantize)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    where, precision = sharded_base.load_where(device, settings.precision)
    return lora.load(folder, device=where, precision=precision)


def training_examples(tokenizer: Any, rows: Sequence[Instruction], settings: FinetuneSettings) -> list[Example]:
    """The rows' tokens, encoded as for prediction; with their labels' weights and offsets where those are wanted."""
    counts = class_balance.counts(rows)
    balanced = class_balance.weights(counts) if settings.class_weights == "balanced" else {}
    priors = class_balance.log_priors(counts, settings.logit_adjust) if settings.logit_adjust else {}
    examples = []
    for row in rows:
        corpus, label = corpus_of(row.utterance_id), gold_of(row) or ""
        weight = balanced.get((corpus, label), 1.0)
        if priors:
            item = packing.encode(tokenizer, row.prompt, emotions.answers(corpus, words_of(row)))
            gold = emotions.labels(corpus).index(label)
            examples.append(Example(row.utterance_id, item, weight, gold, priors[corpus]))
        else:
            examples.append(Example(row.utterance_id, packing.encode(tokenizer, row.prompt, [row.answer]), weight))
    return examples


def speaker_examples(
    tokenizer: Any, rows: Sequence[Instruction], settings: FinetuneSettings, config: Any
) -> list[Example]:
    asked = speaker_task.questions(rows, settings.speaker_task, settings.seed, chat_template(tokenizer))
    found = [
        Example(name, packing.encode(tokenizer, text, [answer]), task=speaker_task.TASK) for name, text, answer in asked
    ]
    check_lengths([(example.utterance_id, example.item) for example in found], config)
    return found


def _tell(
    settings: FinetuneSettings,
    chosen: Sequence[Instruction],
    train: Sequence[Instruction],
    chosen_dev: Sequence[Instruction],
    dev: Sequence[Instruction],
) -> None:
    """Warn of what somebody who reads the scores must know of the rows."""
    if len(chosen) < len(train) or len(chosen_dev) < len(dev):
        sizes = (len(chosen), len(train), len(chosen_dev), len(dev), settings.seed)
        log.warning("a declared subset: %d of %d train rows, %d of %d dev rows, seed %d", *sizes)
    if absent := class_balance.missing(class_balance.counts(chosen)):
        log.warning("no train row of %s: the model cannot learn what they look like", ", ".join(absent))
    if not chosen_dev and (settings.keep == "best" or settings.patience):
        log.warning("there are no dev rows: the last adapter is kept and training does not end early")


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
    totals=("tokens",),
    gpu=True,
    apart=True,
)
