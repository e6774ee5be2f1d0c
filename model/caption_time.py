"""How long a captioner will take that was never timed: by its arithmetic, what it reads of memory, and its calls.

Per caption, with B lines at once in P processes: (pictures and tokens, each by its additions and multiplications) over
``SHARE`` of the machine's rate, the weights read once a token for all B lines, and ``LAYER_S`` a layer and token for
calling operations, of which P processes do P at once. Decoding and scaling pictures takes the processor, on a GPU
meanwhile. Constants are those of full-sized SmolVLM2 and of the demo's captioner on a CPU: benchmarks/caption_time.py
holds the result against them. On a GPU none was checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from model import caption_models, fast_linear
from model.caption_models import CaptionModel

PROMPT_TOKENS = 200
"""Of the instruction, its system text and the template: the presets are 140 to 167 of SmolLM2's, with two frames."""

SHARE = 0.7
"""Of the rate of a large multiplication, reached by whole layers: 0.64 to 0.77 in five measurements."""

LAYER_S = 1e-3
"""Seconds of Python and of starting operations, for a layer and a token: 0.9 ms to 1.4 ms."""

PICTURE_S, PIXEL_S = 1e-3, 60e-9
"""Seconds for decoding and scaling a picture: 2.5 ms to 160 pixels in square, 16 ms to 512."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """10⁹ additions and multiplications for a picture and for a token, and the language model's layers."""

    picture: float
    token: float
    layers: int


ARITHMETIC = {
    "demo": Arithmetic(0.17, 0.0076, 3),
    "smolvlm2-256m": Arithmetic(230, 0.23, 30),
    "smolvlm2-500m": Arithmetic(240, 0.65, 32),
    "smolvlm2-2.2b": Arithmetic(700, 3.3, 24),
    "qwen3-vl-4b": Arithmetic(510, 7.4, 36),
    "qwen3-vl-8b": Arithmetic(700, 14.0, 36),
    "ernie-4.5-vl-28b": Arithmetic(1200, 6.2, 28),  # of a token: 6 of 64 experts, and those that are shared
}

DEMO = CaptionModel("demo", "", 5_218_800, 160, 25, 4, 2 * 3 * 6 * 48)


@dataclass(frozen=True, slots=True)
class Speed:
    """What this machine does: additions and multiplications, and bytes read, in a second. ``gpu``: with its GPU."""

    flops: float
    bytes: float
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What a caption is made of: pictures, tokens written, and read beside pictures; lines at once, processes."""

    pictures: float
    tokens: float
    batch_size: int = 16
    processes: int = 1
    prompt: int = PROMPT_TOKENS


def find(name: str) -> CaptionModel | None:
    """The model of a name whose arithmetic is known: those of model/caption_models.py, and "demo"."""
    return DEMO if name == DEMO.name else caption_models.find(name)


def seconds(model: CaptionModel, work: Work, speed: Speed) -> float:
    """Of a caption, on average, of many; ``speed`` is that of all cores."""
    costs = ARITHMETIC[model.name]
    read = work.pictures * model.picture_tokens + work.prompt
    flop = 1e9 * (work.pictures * costs.picture + (read + work.tokens) * costs.token)
    moved = work.tokens * model.parameters * (2 if speed.gpu else 4) / work.batch_size
    calls = work.tokens * costs.layers * LAYER_S / work.batch_size / work.processes
    shown = work.pictures * (PICTURE_S + PIXEL_S * model.long_side**2) / work.processes
    working = flop / (SHARE * speed.flops) + moved / speed.bytes + calls
    return max(working, shown) if speed.gpu else working + shown


def measured() -> Speed:
    """This machine's speed as it is now, in about a second besides importing torch."""
    import torch

    gpu = torch.cuda.is_available()
    device, dtype, size = ("cuda", torch.bfloat16, 4096) if gpu else ("cpu", torch.float32, 1024)
    wait = torch.cuda.synchronize if gpu else lambda: None
    square = torch.ones(size, size, device=device, dtype=dtype)
    wide, row = torch.ones(8 * size, 4096, device=device, dtype=dtype), torch.ones(4096, device=device, dtype=dtype)
    multiply = fast_linear.multiply if not gpu and fast_linear.available() else torch.nn.functional.linear
    with torch.inference_mode():
        flops = 2 * size**3 / _least(lambda: multiply(square, square, None), wait)
        read = wide.numel() * wide.element_size() / _least(lambda: wide @ row, wait)
    return Speed(flops, read, gpu)


def _least(work: Callable[[], object], wait: Callable[[], None], times: int = 5) -> float:
    """Seconds of the fastest of some times, after one that does not count."""
    took = []
    for _ in range(times + 1):
        wait()
        start = time.perf_counter()
        work()
        wait()
        took.append(time.perf_counter() - start)
    return min(took[1:])
