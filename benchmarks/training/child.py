"""One trainer in a process of its own, which takes a step when it is told to and answers with a line of JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from training import floor, peer, shapes
from training.rows import examples

from model import fast_linear, lora, trainer, weights
from model.packing import Ids, Item
from model.training_plan import Example, TrainOptions, batches
from model.training_step import memory_mib, parts_of
from tasks.finetune_settings import PRESETS


def serve(options: argparse.Namespace) -> None:
    import torch

    answers = own_output()
    torch.set_num_threads(options.threads)
    model, tokenizer = loaded(options)
    size, micro, adapter = options.batch, options.micro_batch, lora_options(options)
    model = lora.attach(model, adapter, options.shape or weights.DEFAULT)
    if options.child != "ours":
        fast_linear.switch_off(model)
    train = TrainOptions(
        batch_size=size, micro_batch=micro, max_steps=options.steps, schedule="constant", warmup=0.0,
        keep="last", checkpoint_every=10**6, group_by_length=options.order == "grouped",
    )  # fmt: skip
    rows = examples(tokenizer, size * options.steps, options.meld, options.cache)
    if options.shape:
        rows = [replace(row, item=renumbered(row.item)) for row in rows]
    parts = [batch for batch, _, _ in batches(rows, train, 0, options.steps)]
    micros = [part for batch in parts for part in parts_of(by_length(batch), micro)]
    wait_for_word()
    answers({"gflop_a_step": floor.gflop(model, micros) * len(micros) / len(parts), **floor.shares(micros)})
    if options.child.startswith("ours"):
        run = ours(model, rows, train)
    else:
        padding_free = options.child == "trl_padding_free"
        run = peer.losses(model, tokenizer, [by_length(part) for part in parts], train, padding_free=padding_free)
    for _ in range(options.steps):
        wait_for_word()
        before = floor.now(options)
        loss = next(run)
        answers({"loss": loss, "seconds": floor.now(options) - before})
    wait_for_word()
    answers({"peak_mib": memory_mib()})


def loaded(options: argparse.Namespace) -> tuple[Any, Any]:
    """The model that is trained and the tokenizer that wrote its rows; the peer gets it as its users load it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    if options.shape:
        folder = options.tokenizer or weights.resolve(weights.DEFAULT, options.cache)
        return shapes.made(options.shape), AutoTokenizer.from_pretrained(folder, local_files_only=True)
    folder = weights.resolve(weights.DEFAULT, options.cache)
    model, tokenizer = lora.load(folder)
    if options.child.startswith("trl"):
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model, tokenizer


def lora_options(options: argparse.Namespace) -> lora.LoraOptions:
    """The preset's adapter without its dropout, so that both trainers must have the same losses."""
    chosen = PRESETS[options.preset] if options.preset else {}
    return lora.LoraOptions(dropout=0.0, **{name: chosen[name] for name in ("r", "alpha", "target") if name in chosen})


def renumbered(item: Item) -> Item:
    """Another vocabulary's tokens in place of these: as many, and alike where these are."""

    def ids(given: Ids) -> Ids:
        return tuple(token % shapes.VOCABULARY for token in given)

    return Item(ids(item.prompt), tuple(ids(answer) for answer in item.answers))


def by_length(batch: Sequence[Example]) -> list[Example]:
    """The order in which our trainer takes a batch's rows, a few at a time."""
    return sorted(batch, key=lambda example: len(example.item.prompt))


def wait_for_word() -> None:
    sys.stdin.readline()


def own_output() -> Callable[[dict[str, float]], None]:
    """Where answers go; whatever else the process prints goes to the errors."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return lambda value: print(json.dumps(value), file=answers, flush=True)


def ours(model: Any, rows: Sequence[Example], options: TrainOptions) -> Iterator[float]:
    with tempfile.TemporaryDirectory() as folder:
        for step in trainer.train(model, rows, Path(folder), options):
            yield step.loss
