"""First stage of the demo captioner's training: the vision tower learns the attributes cell by cell.

The tower's last tokens form a GRID × GRID map. The cell that holds the middle of a face must say who is
there (like a one-box detector), and the mean of all cells must say the place and the shot.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tasks.demo.captioner_data import Shot
from tasks.demo.captioner_model import GRID, VISION_WIDTH
from tasks.demo.draw import places
from tasks.demo.world import CLOTHES, COUNTS, EXPRESSIONS, FIGURES, HAIR, PLACES, POSTURES, SHOTS

RANK = ("first", "second", "third")  # from the left: the decoder must name people in this order
PERSON = {"figure": FIGURES, "hair": HAIR, "clothing": CLOTHES, "expression": EXPRESSIONS, "posture": POSTURES}
CELL = {**PERSON, "rank": RANK}
PICTURE = {"place": PLACES, "shot": SHOTS, "count": COUNTS}
_WEIGHTS = {"expression": 2.0, "place": 0.5, "shot": 0.5, "figure": 0.5}
_SHIFT = 6  # pixels by which training pictures move at most

Batch = tuple[np.ndarray[Any, Any], list[tuple[Shot, int]]]  # uint8 pictures; shot and frame of each


def targets(frames: list[tuple[Shot, int]], moves: np.ndarray[Any, Any], side: int) -> tuple[Any, Any]:
    """Picture classes (B, 3) and cell classes (B, GRID², 1 + 6): presence, then the person's attributes.

    ``moves`` (B, 2) are the pixels by which each ``side`` × ``side`` picture was moved right and down.
    """
    import torch

    whole = torch.zeros((len(frames), len(PICTURE)), dtype=torch.long)
    cells = torch.zeros((len(frames), GRID * GRID, 1 + len(CELL)), dtype=torch.long)
    for row, ((shot, index), (right, down)) in enumerate(zip(frames, moves, strict=True)):
        scene = shot.scenes[index]
        whole[row] = torch.tensor(
            [PLACES.index(scene.place), SHOTS.index(scene.shot), len(scene.people)], dtype=torch.long
        )
        heads = places(scene, 1600, 900, shot.seeds[index])
        for rank, (person, (x, y, _)) in enumerate(zip(scene.people, heads, strict=True)):
            column = min(GRID - 1, max(0, int((x / 1600 + right / side) * GRID)))
            line = min(GRID - 1, max(0, int((y / 900 + down / side) * GRID)))
            labels = [names.index(getattr(person, name)) for name, names in PERSON.items()]
            cells[row, line * GRID + column] = torch.tensor([1, *labels, rank])
    return whole, cells


def make_heads() -> Any:
    """Linear read-outs used in this stage only."""
    from torch import nn

    return nn.ModuleDict(
        {
            "present": nn.Linear(VISION_WIDTH, 2),
            **{name: nn.Linear(VISION_WIDTH, len(names)) for name, names in {**CELL, **PICTURE}.items()},
        }
    )


def vision_loss(features: Any, heads: Any, whole: Any, cells: Any) -> tuple[Any, dict[str, float]]:
    """Sum of the weighted cross-entropies, and the accuracy of each attribute in this batch."""
    from torch.nn import functional

    logits = heads["present"](features)
    loss = 2.0 * functional.cross_entropy(logits.flatten(0, 1), cells[..., 0].flatten())
    hits = {}
    taken = cells[..., 0] == 1
    for index, name in enumerate(CELL):
        if taken.any():
            logits, wanted = heads[name](features[taken]), cells[taken][:, 1 + index]
            loss = loss + _WEIGHTS.get(name, 1.0) * functional.cross_entropy(logits, wanted)
            hits[name] = float((logits.argmax(-1) == wanted).float().mean())
    for index, name in enumerate(PICTURE):
        logits = heads[name](features.mean(1))
        loss = loss + _WEIGHTS.get(name, 1.0) * functional.cross_entropy(logits, whole[:, index])
        hits[name] = float((logits.argmax(-1) == whole[:, index]).float().mean())
    return loss, hits


def to_pixels(images: np.ndarray[Any, Any]) -> Any:
    """uint8 (B, H, W, 3) to what the image processor makes of it: float (B, 3, H, W) in -1..1."""
    import torch

    return (
        torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)
    )  # stays channels_last


def augment(
    images: np.ndarray[Any, Any], rng: np.random.Generator
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Moved and slightly relit pictures, and the moves (B, 2) in pixels right and down."""
    moves = rng.integers(-_SHIFT, _SHIFT + 1, (len(images), 2))
    moved = np.stack(
        [np.roll(image, (down, right), (0, 1)) for image, (right, down) in zip(images, moves, strict=True)]
    )
    light = rng.uniform(0.92, 1.08, (len(images), 1, 1, 1)).astype(np.float32)
    return np.clip(moved * light, 0, 255).astype(np.uint8), moves


def train_vision(
    tower: Any,
    sample: Callable[[int, np.random.Generator], Batch],
    minutes: float,
    rng: np.random.Generator,
    report: Callable[[float, str], None],
    batch: int = 16,
) -> Any:
    """Trains ``tower`` in place for ``minutes``; ``report`` gets the part done (0..1) and a line of figures."""
    import torch

    heads = make_heads()
    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=1.5e-3, betas=(0.9, 0.98), weight_decay=0.02)
    started, step, smooth = time.monotonic(), 0, dict.fromkeys((*CELL, *PICTURE), 0.0)
    tower.train().to(memory_format=torch.channels_last)  # a sixth faster on a CPU
    while (part := (time.monotonic() - started) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1.0, (step + 1) / 60) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
        images, frames = sample(batch, rng)
        images, moves = augment(images, rng)
        whole, cells = targets(frames, moves, images.shape[1])
        features = tower(to_pixels(images), output_hidden_states=True).hidden_states[-1]
        loss, hits = vision_loss(features, heads, whole, cells)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        for name, hit in hits.items():
            smooth[name] = 0.98 * smooth[name] + 0.02 * hit
        report(part, f"step {step} loss {loss.item():.2f} " + " ".join(f"{k} {v:.2f}" for k, v in smooth.items()))
    return heads
