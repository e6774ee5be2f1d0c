"""Log-probabilities of answers, with each batch computing what its prompts have in common only once.

A batch's common prefix (the instruction and the labels) runs once; its keys and values are expanded over the rows,
and gradients flow back through them. Behind it, one row holds the rest of one prompt and all of its answers, as
branches of a tree: every branch sees its prompt and itself, at the positions it would have alone.

    prefix │ pad  rest of prompt │ branch 1  branch 2  …  pad
    ───────┼─────────────────────┼───────────────────────────
    once   │ right-aligned       │ each without its last token, which is only ever a target

So one forward scores all labels, logits exist only where an answer begins or goes on, and training is the case of
one branch a row. The numbers are those of plain padded rows up to rounding; ``supported`` checks that for a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Ids = tuple[int, ...]


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
    with it.
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
    return [made.ids for made in tokenizer.backend_tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def answer_log_probs(model: Any, items: Sequence[Item], *, share: bool = True) -> torch.Tensor:
    """Natural log-probability of each answer, summed over its tokens: float32 [answers of item 0, of item 1, …].

    Differentiable. ``share=False`` computes plain padded rows, one per answer, with logits at every position.
    """
    window = getattr(model.config, "sliding_window", None)
    longest = max(len(item.prompt) + item.n_targets for item in items)
    if not share or (window is not None and longest > window):
        return _plain(model, items)
    return _shared(model, items)


def supported(model: Any) -> bool:
    """True if sharing gives this model's plain numbers: tried on a small made-up batch, without gradients."""
    import torch

    low, high = model.config.vocab_size // 4, model.config.vocab_size // 2
    ids = [low + (high - low) * k // 12 for k in range(12)]
    answers = ((ids[7], ids[8]), (ids[9],), (ids[8], ids[10], ids[11]))
    items = [Item(tuple(ids[:6]), answers), Item((*ids[:3], ids[6]), answers)]
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            plain, shared = _plain(model, items), _shared(model, items)
        tolerance = 1e-3 if next(model.parameters()).dtype == torch.float32 else 0.05
        return bool(torch.allclose(plain, shared, rtol=tolerance, atol=tolerance))
    except (TypeError, ValueError, RuntimeError, AttributeError, IndexError):
        return False  # an architecture without such a cache, or one that takes no mask of its own
    finally:
        model.train(training)


def common_prefix(items: Sequence[Item]) -> int:
    """Number of tokens that all prompts begin with, leaving at least one token of each prompt."""
    first, last = min(item.prompt for item in items), max(item.prompt for item in items)
    length = next((i for i, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return min(length, min(len(item.prompt) for item in items) - 1)


def _shared(model: Any, items: Sequence[Item]) -> torch.Tensor:
    import torch
    from transformers import DynamicCache

    n_prefix = common_prefix(items)
    tokens, positions, branches, width = _layout(items, n_prefix)
    device = model.device
    cache = DynamicCache()
    if n_prefix:
        prefix = torch.tensor([items[0].prompt[:n_prefix]], device=device)
        model(input_ids=prefix, past_key_values=cache, use_cache=True, logits_to_keep=1)
        for layer in cache.layers:
            layer.keys = layer.keys.expand(len(items), -1, -1, -1)
            layer.values = layer.values.expand(len(items), -1, -1, -1)
    logits = model(
        input_ids=tokens.to(device),
        position_ids=positions.to(device),
        attention_mask=_mask(branches.to(device), n_prefix, model.dtype),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=width + 1,
    ).logits
    where: list[tuple[int, int, int]] = []
    for row, item in enumerate(items):
        start = 0
        for answer in item.answers:
            places = [0, *range(start + 1, start + len(answer))]
            where += [(row, place, token) for place, token in zip(places, answer, strict=True)]
            start += len(answer) - 1
    return _sum_log_probs(logits, where, items)


def _layout(items: Sequence[Item], n_prefix: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, int]:
    """Tokens, positions and branch numbers, each [rows, rest + width]; the width of the branches.

    Branch 0 is the prompt's rest, 1… the answers, -1 padding.
    """
    import torch

    n_rest = max(len(item.prompt) for item in items) - n_prefix
    width = max(item.n_targets - len(item.answers) for item in items)
    tokens = torch.zeros(len(items), n_rest + width, dtype=torch.long)
    positions = torch.zeros_like(tokens)
    branches = torch.full_like(tokens, -1)
    for row, item in enumerate(items):
        parts = [(0, n_prefix, item.prompt[n_prefix:])]
        parts += [(k, len(item.prompt), answer[:-1]) for k, answer in enumerate(item.answers, 1)]
        at = n_rest - (len(item.prompt) - n_prefix)
        for branch, first, ids in parts:
            span = slice(at, at + len(ids))
            tokens[row, span] = torch.tensor(ids, dtype=torch.long)
            positions[row, span] = torch.arange(first, first + len(ids))
            branches[row, span] = branch
            at += len(ids)
    return tokens, positions, branches, width


def _mask(branches: torch.Tensor, n_prefix: int, dtype: torch.dtype) -> torch.Tensor:
    """Additive attention mask [rows, 1, queries, prefix + queries]: earlier tokens of the prompt or own branch.

    Padding sees padding, so that no row of the softmax is empty.
    """
    import torch

    keys, queries = branches[:, None, None, :], branches[:, None, :, None]
    seen = ((keys == 0) | (keys == queries)).tril()
    hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, torch.finfo(dtype).min)
    return torch.nn.functional.pad(hidden, (n_prefix, 0))


def _plain(model: Any, items: Sequence[Item]) -> torch.Tensor:
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
    return _sum_log_probs(logits, where, items)


def _sum_log_probs(logits: torch.Tensor, where: Sequence[tuple[int, int, int]], items: Sequence[Item]) -> torch.Tensor:
    """Sum over each answer's tokens; ``where`` holds (row, place, token) of each, in order."""
    import torch

    row, place, token = torch.tensor(where, device=logits.device).T
    totals = logits.float().logsumexp(-1)
    found = logits[row, place, token].float() - totals[row, place]
    return torch.stack([part.sum() for part in found.split([len(a) for item in items for a in item.answers])])
