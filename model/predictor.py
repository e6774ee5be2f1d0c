"""Label scoring: how likely a model is to give each of the allowed answers to a prompt.

The same numbers, token by token, say what constrained generation would give: ``Scored.greedy``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from model.packing import Ids, Item, encode, token_log_probs

Normalise = Literal["sum", "mean"]


@dataclass(frozen=True, slots=True)
class Scored:
    """One prompt's answers, in the order given. ``log_probs`` are summed over the answer's ``n_tokens`` tokens,
    the end token among them.

    ``probabilities`` are their softmax: the model's odds between these answers, whatever else it might say.
    ``greedy`` is the index of the answer that greedy generation gives if only these answers may come. It goes by the
    likeliest token at each step, so that a likely answer of several tokens can lose at the first to one that is less
    likely as a whole. ``seconds`` is the prompt's share of its batch's wall time.
    """

    log_probs: tuple[float, ...]
    n_tokens: tuple[int, ...]
    probabilities: tuple[float, ...]
    greedy: int
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
    import torch

    start = time.perf_counter()
    tokens = token_log_probs(model, items, share=share)
    answers = items[0].answers
    lengths = tuple(map(len, answers))
    sums = torch.stack([part.sum() for part in tokens]).reshape(len(items), -1)
    scaled = sums / sums.new_tensor(lengths) if normalise == "mean" else sums
    probabilities = scaled.double().softmax(1).tolist()
    steps = torch.cat(tokens).reshape(len(items), -1).split(lengths, dim=1)
    taken = [_walk(answers, one) for one in zip(*(part.tolist() for part in steps), strict=True)]
    seconds = (time.perf_counter() - start) / len(items)
    return [
        Scored(tuple(a), lengths, tuple(b), c, seconds)
        for a, b, c in zip(sums.tolist(), probabilities, taken, strict=True)
    ]


def _walk(answers: Sequence[Ids], log_probs: Sequence[Sequence[float]]) -> int:
    """The answer at the end of the likeliest branch at each fork of the tree of ``answers``, the first of equals.

    ``log_probs[answer][step]`` is that of the answer's token there, given those before.
    """
    left, step = list(range(len(answers))), 0
    while len({answers[index] for index in left}) > 1:
        best = max(left, key=lambda index: log_probs[index][step])
        left = [index for index in left if answers[index][step] == answers[best][step]]
        step += 1
    return left[0]
