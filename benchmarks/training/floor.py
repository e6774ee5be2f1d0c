"""What a training step costs at least: the frozen weights' multiplications, and how fast this machine does one."""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Sequence
from typing import Any

from training import shapes

from model import fast_linear, packing
from model.training_plan import Example


def gflop(model: Any, parts: Sequence[Sequence[Example]]) -> float:
    """Multiplications for a part's rows, in the mean: two for a token and a frozen weight, and as many backwards."""
    words = {model.get_input_embeddings().weight.data_ptr(), model.get_output_embeddings().weight.data_ptr()}
    frozen = [p for p in model.parameters() if not p.requires_grad and p.ndim == 2]
    # the embedding is looked up, and its use for the logits is that of few tokens
    body = sum(p.numel() for p in frozen if p.data_ptr() not in words)
    tokens = statistics.mean(packing.n_computed([row.item for row in part]) for part in parts)
    return 4 * body * tokens / 1e9


def shares(parts: Sequence[Sequence[Example]]) -> dict[str, float]:
    """Tokens of a part as shares of the rows' own: computed by us, and by a trainer that pads."""
    items = [[row.item for row in part] for part in parts]
    lengths = [[len(item.prompt) + len(item.answers[0]) for item in part] for part in items]
    own = sum(map(sum, lengths))
    return {
        "unique_share": sum(packing.n_computed(part) for part in items) / own,
        "padded_share": sum(len(part) * max(part) for part in lengths) / own,
    }


def gflops(options: argparse.Namespace) -> float:
    """Speed of one multiplication of the model's own shape, by the same clock as the steps."""
    import torch

    torch.set_num_threads(options.threads)
    shape = shapes.SHAPES[options.shape] if options.shape else {"hidden_size": 576, "intermediate_size": 1536}
    rows, inner, outer = 1200, shape["hidden_size"], shape["intermediate_size"]
    device, dtype = shapes.device(), shapes.dtype()
    layer = torch.nn.Linear(inner, outer, bias=False, device=device, dtype=dtype).requires_grad_(False)
    x, speeds = torch.randn(rows, inner, device=device, dtype=dtype), []
    for one in (layer, fast_linear.switch_on(copy.deepcopy(layer))):
        one(x)
        start = now(options)
        for _ in range(20):
            one(x)
        speeds.append(20 * 2 * rows * inner * outer / (now(options) - start) / 1e9)
    return max(speeds)


def now(options: argparse.Namespace) -> float:
    """Seconds: of the processor with one thread, else by the clock, when a GPU has done all that it was told."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() if options.threads == 1 else time.perf_counter()
