"""Attention over a stream: the common prefix of several rows once, then the rest of each row, nothing padded.

    stream   │ prefix │ row 1 │ row 2 ……… │ row 3 … │        one sequence for every layer but this
    rows     │ row 1 ─ ─ ─ │ row 2 ……… │ row 3 … ─ ─ │      [rows, longest], for the attention alone

A token of the prefix sees the prefix up to itself; a token of a row sees the whole prefix and what its row's mask
shows it. Registered with transformers under ``NAME``: a forward without a stream gets its ordinary SDPA attention.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "dialoguellm_shared"


@dataclass(frozen=True, slots=True)
class Rows:
    """Where a stream's rows lie.

    ``places`` [rows, longest]: the stream's index of each token, 0 for padding. ``kept`` [tokens behind the prefix]:
    where each is among the flattened ``places``. ``mask`` [rows, 1, longest, prefix + longest]: True where seen.
    """

    n_prefix: int
    places: torch.Tensor
    kept: torch.Tensor
    mask: torch.Tensor

    def to(self, device: Any) -> Rows:
        return Rows(self.n_prefix, self.places.to(device), self.kept.to(device), self.mask.to(device))


def switch_on(model: Any) -> str:
    """Let ``model`` take streams; the name of the attention it had."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    before = str(model.config._attn_implementation)
    if before != NAME:
        ALL_ATTENTION_FUNCTIONS.register(NAME, _attention)
        ALL_MASK_ATTENTION_FUNCTIONS.register(NAME, sdpa_mask)
        model.config._attn_implementation = NAME
    return before


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    stream_rows: Rows | None = None,
    **given: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' attention functions: [1, heads, tokens, size] each to [1, tokens, heads, size]."""
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if stream_rows is None:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **given)
        return found
    n_prefix, places = stream_rows.n_prefix, stream_rows.places
    q, k, v = (_gather(part, places) for part in (query, key, value))
    if n_prefix:
        k, v = (_behind(whole[:, :, :n_prefix], part) for whole, part in ((key, k), (value, v)))
    rows, _ = sdpa_attention_forward(module, q, k, v, stream_rows.mask, **given)
    flat = rows.flatten(0, 1).index_select(0, stream_rows.kept)[None]
    if not n_prefix:
        return flat, None
    start = (part[:, :, :n_prefix] for part in (query, key, value))
    prefix, _ = sdpa_attention_forward(module, *start, None, **given)
    return torch.cat([prefix, flat], 1), None


def _gather(part: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """[1, heads, tokens, size] to [rows, heads, longest, size]."""
    return part[0].transpose(0, 1).index_select(0, places.flatten()).unflatten(0, places.shape).transpose(1, 2)


def _behind(prefix: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.cat([prefix.expand(len(rows), -1, -1, -1), rows], 2)
