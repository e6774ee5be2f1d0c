"""Log-probabilities of answers, with each batch computing what its prompts have in common only once, and no padding.

A batch is one stream of tokens: its common prefix (the instruction and the labels) once, then of each row the rest
of its prompt and all of its answers, as branches of a tree. Every branch sees its prompt and itself, at the positions
it would have alone; gradients flow back through what is shared.

    prefix │ rest of prompt 1  branch 1  branch 2 … │ rest of prompt 2  branch 1 … │ …
    ───────┼─────────────────────────────────────────────────────────────────────────
    once   │ each branch without its last token, which is only ever a target

So one forward scores all labels, logits exist only where an answer begins or goes on, and training is the case of
one branch a row. Only the attention sees rows (shared_attention.py). The numbers are those of plain padded rows up to
rounding; ``supported`` checks that for a model.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.errors import WeightsError
from model.shared_attention import Rows, switch_on

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

Ids = tuple[int, ...]
Target = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Item:
    """A prompt (at least one token) and its answers (at least one, each at least one token), as token ids."""

    prompt: Ids
    answers: tuple[Ids, ...]

    @property
    def n_targets(self) -> int:
        return sum(map(len, self.answers))


def encode(tokenizer: Any, prompt: str, answers: Sequence[str]) -> Item:
    """Tokenise the exact texts; each answer ends with the tokenizer's end token.

    Prompt and answers are tokenised apart, so that the border is the same for every answer.
    """
    texts = tokenizer(list(answers), add_special_tokens=False).input_ids
    (ids,) = encode_prompts(tokenizer, [prompt])
    return Item(tuple(ids), tuple((*text, tokenizer.eos_token_id) for text in texts))


def encode_prompts(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """The tokens of prompts, all at once: a fast tokenizer shares them out over the processor's cores.

    The begin token is put first where the tokenizer itself would do so and the prompt's text does not start
    with it. Raises WeightsError where the tokenizer gives up, as over a pattern that goes through a text for too long.
    """
    if not prompts:
        return []
    head = tokenizer("").input_ids[:1]  # also sets up the fast tokenizer below: neither padding nor cutting
    begin = head if head == [tokenizer.bos_token_id] else []
    found = _tokens(tokenizer, list(prompts))
    return [ids if ids[: len(begin)] == begin else begin + ids for ids in found]


def _tokens(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """``tokenizer(texts, add_special_tokens=False).input_ids``, without what else that call makes of each text."""
    from transformers import PreTrainedTokenizerFast

    fast, kind = PreTrainedTokenizerFast, type(tokenizer)
    if not issubclass(kind, fast) or (kind.__call__, kind._encode_plus) != (fast.__call__, fast._encode_plus):
        ids: list[list[int]] = tokenizer(texts, add_special_tokens=False).input_ids  # it may have ways of its own
        return ids
    try:
        return [made.ids for made in tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    except BaseException as error:  # a panic of the library in Rust is no Exception
        if type(error).__name__ != "PanicException":
            raise
        raise WeightsError(
            f"{tokenizer.name_or_path}: its tokenizer gives up on a text ({str(error)[:200]}); take another model, or "
            "mend the patterns in its tokenizer.json"
        ) from error


def answer_log_probs(model: Any, items: Sequence[Item], *, share: bool = True) -> torch.Tensor:
    """Natural log-probability of each answer, summed over its tokens: float32 [answers of item 0, of item 1, …].

    Differentiable. ``share=False`` computes plain padded rows, one per answer, with logits at every position.
    """
    import torch

    return torch.stack([part.sum() for part in token_log_probs(model, items, share=share)])


def token_log_probs(model: Any, items: Sequence[Item], *, share: bool = True) -> tuple[torch.Tensor, ...]:
    """The same token by token: float32 [tokens] of each answer of item 0, of item 1, …"""
    if not share or not fits_window(model, items):
        return _plain(model, items)
    stream = lay_out(items)
    found = _log_probs(model, stream, [target for one in stream.answers for target in one])
    parts: tuple[torch.Tensor, ...] = found.split([len(one) for one in stream.answers])
    return parts


def text_log_probs(model: Any, items: Sequence[Item], *, share: bool = True) -> torch.Tensor:
    """The same of prompt and answer together, all tokens but the first: float32 [items]. An item has one answer."""
    import torch

    if not share or not fits_window(model, items):
        texts = [Item(item.prompt[:1], (item.prompt[1:] + item.answers[0],)) for item in items]
        return torch.stack([part.sum() for part in _plain(model, texts)])
    stream = lay_out(items)
    rows = [rest + answer for rest, answer in zip(stream.rests, stream.answers, strict=True)]
    found = _log_probs(model, stream, [*stream.prefix, *(target for one in rows for target in one)])
    first, *parts = found.split([len(stream.prefix), *map(len, rows)])
    return torch.stack([part.sum() for part in parts]) + first.sum()


def n_computed(items: Sequence[Item], *, share: bool = True) -> int:
    """How many tokens a batch is computed on: with ``share`` those of its stream."""
    if not share:
        return sum(len(item.prompt) + len(answer) for item in items for answer in item.answers)
    n_prefix = common_prefix(items)
    return n_prefix + sum(len(item.prompt) - n_prefix + item.n_targets - len(item.answers) for item in items)


def fits_window(model: Any, items: Sequence[Item]) -> bool:
    """Whether no token of these items is further from another than the model sees; else they are computed plainly."""
    config = model.config.get_text_config()
    windows = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    longest = max(len(item.prompt) + item.n_targets for item in items)
    return all(not window or longest <= window for window in windows)


def supported(model: Any) -> bool:
    """True if sharing gives this model's plain numbers: tried on a small made-up batch, without gradients.

    A model that cannot take it is named in a warning: its rows are computed as plain padded ones, of similar length.
    """
    import torch

    size = model.config.get_text_config().vocab_size
    low, high = size // 4, size // 2
    ids = [low + (high - low) * k // 12 for k in range(12)]
    answers = ((ids[7], ids[8]), (ids[9],), (ids[8], ids[10], ids[11]))
    items = [Item(tuple(ids[:6]), answers), Item((*ids[:3], ids[6]), answers)]
    training, attention = model.training, model.config._attn_implementation
    model.eval()
    same = False
    try:
        with torch.no_grad():
            plain, shared = (answer_log_probs(model, items, share=share) for share in (False, True))
        tolerance = 1e-3 if next(model.parameters()).dtype == torch.float32 else 0.05
        same = bool(torch.allclose(plain, shared, rtol=tolerance, atol=tolerance))
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        pass  # an architecture whose attention is its own
    finally:
        model.train(training)
        if not same:
            model.config._attn_implementation = attention
            log.warning(
                "%s cannot share its prompts' common start: rows are computed whole and padded, which is slower",
                type(model).__name__,
            )
    return same


def common_prefix(items: Sequence[Item]) -> int:
    """Number of tokens that all prompts begin with, leaving at least one token of each prompt."""
    first, last = min(item.prompt for item in items), max(item.prompt for item in items)
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return min(length, min(len(item.prompt) for item in items) - 1)


@dataclass(frozen=True, slots=True)
class Stream:
    """Tokens and positions [1, tokens] of a batch, and its targets: (place whose logits predict it, token).

    ``prefix`` holds the common prefix's own targets, ``rests`` those of each prompt's rest, ``answers`` those of
    each answer of each item.
    """

    tokens: torch.Tensor
    positions: torch.Tensor
    rows: Rows
    prefix: list[Target]
    rests: list[list[Target]]
    answers: list[list[Target]]


def lay_out(items: Sequence[Item]) -> Stream:
    """The stream of a batch, on the CPU."""
    import torch

    n_prefix = common_prefix(items)
    tokens = list(items[0].prompt[:n_prefix])
    positions = list(range(n_prefix))
    branches: list[list[int]] = []  # of each row's tokens: 0 is the prompt's rest, 1… the answers
    rests: list[list[Target]] = []
    answers: list[list[Target]] = []
    for item in items:
        rest, end = item.prompt[n_prefix:], len(item.prompt)
        rests.append(_targets([*range(n_prefix)][-1:], len(tokens), rest))
        tokens += rest
        positions += range(n_prefix, end)
        row, last = [0] * len(rest), len(tokens) - 1
        for number, answer in enumerate(item.answers, 1):
            answers.append(_targets([last], len(tokens), answer))
            tokens += answer[:-1]
            positions += range(end, end + len(answer) - 1)
            row += [number] * (len(answer) - 1)
        branches.append(row)
    prefix = _targets([], 0, items[0].prompt[:n_prefix])
    rows = _rows(branches, n_prefix)
    return Stream(torch.tensor([tokens]), torch.tensor([positions]), rows, prefix, rests, answers)


def _targets(before: list[int], first: int, ids: Ids) -> list[Target]:
    """Targets of tokens that lie at ``first``… behind the one at ``before``; without one the first is no target."""
    places = [*before, *range(first, first + len(ids) - 1)]
    return list(zip(places, ids[len(ids) - len(places) :], strict=True))


def _rows(branches: Sequence[Sequence[int]], n_prefix: int) -> Rows:
    """Where rows of these branch numbers lie behind a prefix, and what each of their tokens sees."""
    import torch

    sizes = [len(row) for row in branches]
    padded = torch.tensor([[*row, *[-1] * (max(sizes) - len(row))] for row in branches])
    kept = (padded.flatten() >= 0).nonzero().flatten()
    places = torch.zeros(padded.numel(), dtype=torch.long)
    places[kept] = torch.arange(n_prefix, n_prefix + len(kept))
    return Rows(n_prefix, places.view_as(padded), kept, _mask(padded, n_prefix))


def _mask(branches: torch.Tensor, n_prefix: int) -> torch.Tensor:
    """What is seen [rows, 1, queries, prefix + queries]: earlier tokens of the prompt or of the own branch.

    Padding sees the prompt, so that no row of the softmax is empty.
    """
    import torch

    keys, queries = branches[:, None, None, :], branches[:, None, :, None]
    seen = ((keys == 0) | (keys == queries)).tril()
    return torch.nn.functional.pad(seen, (n_prefix, 0), value=True)


def _log_probs(model: Any, stream: Stream, targets: Sequence[Target]) -> torch.Tensor:
    """Log-probability of each target, float32: one forward, with logits only where there is one."""
    import torch

    switch_on(model)
    device = model.device
    wanted = sorted({place for place, _ in targets})
    row_of = {place: row for row, place in enumerate(wanted)}
    logits = model(
        input_ids=stream.tokens.to(device),
        position_ids=stream.positions.to(device),
        attention_mask=stream.rows.mask.to(device),  # four dimensions: the model makes no mask of its own
        stream_rows=stream.rows.to(device),
        use_cache=False,
        logits_to_keep=torch.tensor(wanted, device=device),
    ).logits[0]
    rows = torch.tensor([row_of[place] for place, _ in targets], device=device)
    tokens = torch.tensor([token for _, token in targets], device=device)
    logits = logits.float()
    return logits[rows, tokens] - logits.logsumexp(-1)[rows]


def _plain(model: Any, items: Sequence[Item]) -> tuple[torch.Tensor, ...]:
    import torch

    texts = [(item.prompt, answer) for item in items for answer in item.answers]
    longest = max(len(prompt) + len(answer) for prompt, answer in texts)
    tokens = torch.zeros(len(texts), longest, dtype=torch.long, device=model.device)
    mask = torch.zeros_like(tokens)
    where: list[tuple[int, int, int]] = []
    for row, (prompt, answer) in enumerate(texts):
        tokens[row, : len(prompt) + len(answer)] = torch.tensor(prompt + answer, device=model.device)
        mask[row, : len(prompt) + len(answer)] = 1
        where += [(row, len(prompt) - 1 + k, token) for k, token in enumerate(answer)]
    logits = model(input_ids=tokens, attention_mask=mask, use_cache=False).logits
    rows, places, ids = torch.tensor(where, device=logits.device).T
    wanted = logits[rows, places].float()  # of the answers alone: a copy of all would be as large as the logits
    found = wanted.gather(1, ids[:, None]).squeeze(1) - wanted.logsumexp(-1)
    parts: tuple[torch.Tensor, ...] = found.split([len(answer) for _, answer in texts])
    return parts
