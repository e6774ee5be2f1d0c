"""First stage of the demo captioner's training: the vision tower learns the attributes cell by cell.

The tower's last tokens form a GRID × GRID map. The cell that holds the middle of a face must say who is
there (like a one-box detector), and the mean of all cells must say the place and the shot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.demo.captioner_crowd import Crowd
from tasks.demo.captioner_data import Shot
from tasks.demo.captioner_model import GRID, VISION_WIDTH
from tasks.demo.captioner_optimizer import Optimizer
from tasks.demo.draw import places
from tasks.demo.world import CLOTHES, COUNTS, EXPRESSIONS, FIGURES, HAIR, PLACES, POSTURES, SHOTS

RANK = ("first", "second", "third")  # from the left: the decoder must name people in this order
PERSON = {"figure": FIGURES, "hair": HAIR, "clothing": CLOTHES, "expression": EXPRESSIONS, "posture": POSTURES}
CELL = {**PERSON, "rank": RANK}
PICTURE = {"place": PLACES, "shot": SHOTS, "count": COUNTS}
_WEIGHTS = {"expression": 2.0, "place": 0.5, "shot": 0.5, "figure": 0.5, "posture": 2.0}
_SHIFT = 6  # pixels by which training pictures move at most

UNKNOWN = -100  # the class that a cross-entropy leaves out
Frame = tuple[Shot, int] | Crowd  # shot and number of the frame in it
Batch = tuple[np.ndarray[Any, Any], Sequence[Frame]]  # uint8 pictures; what each shows


def targets(frames: Sequence[Frame], moves: np.ndarray[Any, Any], side: int) -> tuple[Any, Any]:
    """Picture classes (B, 3) and cell classes (B, GRID², 1 + 6): presence, then the person's attributes.

    ``moves`` (B, 2) are the pixels by which each ``side`` × ``side`` picture was moved right and down. What a crowd
    has no answer to is UNKNOWN.
    """
    import torch

    whole = torch.zeros((len(frames), len(PICTURE)), dtype=torch.long)
    cells = torch.zeros((len(frames), GRID * GRID, 1 + len(CELL)), dtype=torch.long)
    for row, (frame, (right, down)) in enumerate(zip(frames, moves, strict=True)):
        if isinstance(frame, Crowd):
            people, heads = frame.people, frame.heads
            whole[row] = torch.tensor([PLACES.index(frame.place), UNKNOWN, UNKNOWN])
        else:
            shot, index = frame
            scene, people = shot.scenes[index], shot.scenes[index].people
            heads = tuple((x / 1600, y / 900) for x, y, _ in places(scene, 1600, 900, shot.seeds[index]))
            whole[row] = torch.tensor([PLACES.index(scene.place), SHOTS.index(scene.shot), len(people)])
        for rank, (person, (x, y)) in enumerate(zip(people, heads, strict=True)):
            column = min(GRID - 1, max(0, int((x + right / side) * GRID)))
            line = min(GRID - 1, max(0, int((y + down / side) * GRID)))
            labels = [names.index(getattr(person, name)) for name, names in PERSON.items()]
            known = UNKNOWN if isinstance(frame, Crowd) else rank
            cells[row, line * GRID + column] = torch.tensor([1, *labels, known])
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
            hits[name] = _share_right(logits, wanted)
    for index, name in enumerate(PICTURE):
        logits = heads[name](features.mean(1))
        loss = loss + _WEIGHTS.get(name, 1.0) * functional.cross_entropy(logits, whole[:, index])
        hits[name] = _share_right(logits, whole[:, index])
    return loss, hits


def _share_right(logits: Any, wanted: Any) -> float:
    known = wanted != UNKNOWN
    return float((logits.argmax(-1) == wanted)[known].float().mean())


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
    sample: Callable[[float, np.random.Generator], Batch],
    steps: int,
    rng: np.random.Generator,
    report: Callable[[float, str], None],
) -> Any:
    """Trains ``tower`` in place and returns its read-outs. ``sample(part, rng)`` gives the batch when ``part`` is done.

    ``report`` gets the part done (0..1) and a line of figures.
    """
    import torch

    heads = make_heads()
    optimizer = Optimizer([*tower.named_parameters(), *heads.named_parameters()], steps, 4e-3, 2e-3)
    smooth = dict.fromkeys((*CELL, *PICTURE), 0.0)
    tower.train().to(memory_format=torch.channels_last)  # a sixth faster on a CPU
    for step in range(1, steps + 1):
        images, frames = sample((step - 1) / steps, rng)
        images, moves = augment(images, rng)
        whole, cells = targets(frames, moves, images.shape[1])
        features = tower(to_pixels(images), output_hidden_states=True).hidden_states[-1]
        loss, hits = vision_loss(features, heads, whole, cells)
        optimizer.step(loss)
        for name, hit in hits.items():
            smooth[name] = 0.98 * smooth[name] + 0.02 * hit
        figures = " ".join(f"{name} {hit:.2f}" for name, hit in smooth.items())
        report(step / steps, f"step {step} loss {loss.item():.2f} {figures}")
    return heads
