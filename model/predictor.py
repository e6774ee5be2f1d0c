"""Label scoring: how likely a model is to give each of the allowed answers to a prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from model.packing import Item, answer_log_probs, encode

Normalise = Literal["sum", "mean"]


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's answers, in the order given. ``log_probs`` are summed over the answer's ``n_tokens`` tokens,
    the end token among them.

    ``probabilities`` are their softmax: the model's odds between these answers, whatever else it might say.
    ``seconds`` is the prompt's share of its batch's wall time.
    """

    log_probs: tuple[float, ...]
    n_tokens: tuple[int, ...]
    probabilities: tuple[float, ...]
    seconds: float

    @property
    def best(self) -> int:
        """Index of the likeliest answer, the first of equals."""
        return self.probabilities.index(max(self.probabilities))


def score(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    answers: Sequence[str],
    *,
    share: bool = True,
    normalise: Normalise = "sum",
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> list[Scored]:
    """Score ``answers`` for each of ``prompts``, in batches of similar length; results in the order of ``prompts``.

    ``normalise="mean"`` divides each log-probability by the answer's number of tokens before the softmax.
    ``share`` as in packing.answer_log_probs; ``progress`` is told after each batch how many more prompts are done.
    """
    import torch

    items = [encode(tokenizer, prompt, answers) for prompt in prompts]
    order = sorted(range(len(items)), key=lambda index: len(items[index].prompt))
    done: dict[int, Scored] = {}
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for start in range(0, len(order), batch_size):
                part = order[start : start + batch_size]
                found = _score_batch(model, [items[index] for index in part], share, normalise)
                done.update(zip(part, found, strict=True))
                if progress:
                    progress(len(part))
    finally:
        model.train(training)
    return [done[index] for index in range(len(items))]


def _score_batch(model: Any, items: Sequence[Item], share: bool, normalise: Normalise) -> list[Scored]:
    start = time.perf_counter()
    sums = answer_log_probs(model, items, share=share).reshape(len(items), -1)
    lengths = tuple(map(len, items[0].answers))
    scaled = sums / sums.new_tensor(lengths) if normalise == "mean" else sums
    probabilities = scaled.double().softmax(1).tolist()
    log_probs = sums.tolist()
    seconds = (time.perf_counter() - start) / len(items)
    return [Scored(tuple(a), lengths, tuple(b), seconds) for a, b in zip(log_probs, probabilities, strict=True)]
