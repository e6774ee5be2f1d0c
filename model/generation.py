"""Free generation: what a model says of its own accord after a prompt, as text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model.packing import encode_prompts


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is searched for; nothing is sampled. One beam is greedy.

    ``repetition_penalty`` divides the scores of tokens that stand in the prompt or the answer already; 1 is none.
    The paper's released code: 4 beams, 1.15.
    """

    max_new_tokens: int = 16
    num_beams: int = 1
    repetition_penalty: float = 1.0


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer without the end token, control tokens and all; ``n_tokens`` counts the end token too.

    ``seconds`` is the answer's share of its batch's wall time.
    """

    text: str
    n_prompt_tokens: int
    n_tokens: int
    seconds: float


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    decoding: Decoding,
    *,
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> list[Generated]:
    """Answers to ``prompts`` in their order, in batches of similar length.

    In float32 an answer does not depend on its batch. ``progress`` is told after each batch how many more are done.
    """
    ids = encode_prompts(tokenizer, prompts)
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    done: dict[int, Generated] = {}
    training = model.training
    model.eval()
    try:
        for start in range(0, len(order), batch_size):
            part = order[start : start + batch_size]
            done.update(zip(part, _batch(model, tokenizer, [ids[index] for index in part], decoding), strict=True))
            if progress:
                progress(len(part))
    finally:
        model.train(training)
    return [done[index] for index in range(len(ids))]


def _batch(model: Any, tokenizer: Any, prompts: Sequence[list[int]], decoding: Decoding) -> list[Generated]:
    import torch

    start = time.perf_counter()
    longest, end = max(map(len, prompts)), tokenizer.eos_token_id
    # Padded on the left with tokens that the row has anyway: a penalty on what was said before learns nothing new.
    tokens = torch.tensor([[ids[0]] * (longest - len(ids)) + ids for ids in prompts], device=model.device)
    mask = torch.tensor([[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts], device=model.device)
    with torch.inference_mode():
        found = model.generate(
            input_ids=tokens,
            attention_mask=mask,
            max_new_tokens=decoding.max_new_tokens,
            num_beams=decoding.num_beams,
            repetition_penalty=float(decoding.repetition_penalty),
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
        )
    said = [_until(row, end) for row in found[:, longest:].tolist()]
    seconds = (time.perf_counter() - start) / len(prompts)
    return [
        Generated(tokenizer.decode(row), len(ids), min(len(row) + 1, decoding.max_new_tokens), seconds)
        for ids, row in zip(prompts, said, strict=True)
    ]


def _until(row: list[int], end: int) -> list[int]:
    return row[: row.index(end)] if end in row else row
