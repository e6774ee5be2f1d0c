"""Trains the demo captioner from nothing: ``python -m tasks.demo.train_captioner --seed 7 --out DIR``.

One thread; the number of steps is fixed, so the same seed on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tasks.demo.captioner_card import write_card
from tasks.demo.captioner_crowd import CrowdPool
from tasks.demo.captioner_data import CROWDS, POOL, SIDE, FramePool, Plan, Shot, make_shot, shrink
from tasks.demo.captioner_language import (
    Example,
    captions_of,
    project_scores,
    seed_projector,
    simulate,
    train_language,
)
from tasks.demo.captioner_model import build_model, build_processor, build_tokenizer, round_weights, save_captioner
from tasks.demo.captioner_score import evaluate
from tasks.demo.captioner_vision import Batch, augment, to_pixels, train_vision

_BATCH = 16
_CROWDED = 0.6  # of the tower's training
STAGES = ("rendering", "vision tower", "decoder, simulated", "decoder, pictures")
Report = Callable[[float, str], None]


def train(seed: int, plan: Plan, report: Callable[[str, float, str], None]) -> tuple[Any, Any]:
    """The trained model and its processor; same seed and number of threads, same weights on the same machine.

    ``report`` gets the stage, the part of it that is done (0..1) and a line of figures.
    """
    import torch

    torch.manual_seed(seed)
    draws = np.random.default_rng(seed).spawn(3)  # one for each stage: none of them depends on another's
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    rendering, vision, simulated, pictures = (partial(report, name) for name in STAGES)
    with tempfile.TemporaryDirectory() as folder:
        crowds = CrowdPool(Path(folder), range(CROWDS, CROWDS + plan.crowds), SIDE, shrink)
        pool = FramePool(Path(folder), range(POOL, POOL + plan.shots), rendering)
        heads = train_vision(model.model.vision_tower, _mixed(pool, crowds), plan.vision, draws[0], vision)
        learn_language(model, tokenizer, plan.simulated, draws[1], simulated)
        seed_projector(model.model.multi_modal_projector, heads)
        learn_pictures(model, tokenizer, pool, plan.pictures, draws[2], pictures)
    round_weights(model)
    return model.eval(), build_processor(tokenizer)


def _mixed(pool: FramePool, crowds: CrowdPool) -> Callable[[float, np.random.Generator], Batch]:
    """Half a batch of crowds for most of the time, then what utterances show and nothing else."""

    def sample(part: float, rng: np.random.Generator) -> Batch:
        many = _BATCH // 2 if part < _CROWDED else 0
        images, frames = pool.frames(_BATCH - many, rng)
        if not many:
            return images, frames
        crowded, known = crowds.sample(many, rng)
        return np.concatenate([images, crowded]), [*frames, *known]

    return sample


def learn_language(model: Any, tokenizer: Any, steps: int, rng: np.random.Generator, report: Report) -> None:
    """Decoder and projector on simulated scores: no picture is rendered for it."""
    projector = model.model.multi_modal_projector

    def sample(count: int, pictures: int, rng: np.random.Generator) -> Example:
        shots: list[Shot] = []
        picked: list[list[int]] = []
        while len(shots) < count:
            shot = make_shot(int(rng.integers(100_000_000, 400_000_000)))
            if chosen := shot.pick(pictures, rng):
                shots.append(shot)
                picked.append(chosen)
        frames = [(shot, i) for shot, chosen in zip(shots, picked, strict=True) for i in chosen]
        return simulate(frames, rng).unflatten(0, (count, pictures)), captions_of(shots, picked)

    train_language(
        model,
        tokenizer,
        sample,
        lambda scores: project_scores(projector, scores),
        steps,
        rng,
        report,
        rates=(2e-3, 1.2e-3),
    )


def learn_pictures(
    model: Any, tokenizer: Any, pool: FramePool, steps: int, rng: np.random.Generator, report: Report
) -> None:
    """Decoder and projector on the frozen tower's features of rendered pictures."""
    import torch

    tower = model.model.vision_tower.eval()

    def sample(count: int, pictures: int, rng: np.random.Generator) -> Example:
        tower.eval()
        images, shots, picked = pool.utterances(count, pictures, rng)
        moved, _ = augment(images.reshape(-1, *images.shape[2:]), rng)
        with torch.no_grad():
            features = tower(to_pixels(moved), output_hidden_states=True).hidden_states[-1]
        return features.unflatten(0, (count, pictures)), captions_of(shots, picked)

    train_language(model, tokenizer, sample, model.model.multi_modal_projector, steps, rng, report, rates=(8e-4, 4e-4))


def main(arguments: Sequence[str] | None = None) -> None:
    import cv2
    import torch
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # more threads add in another order, which gives other weights
    cv2.setNumThreads(1)
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    plan = Plan()
    ends: dict[str, float] = {}  # CPU seconds of the process at the end of each stage
    with Progress(*columns, refresh_per_second=1) as progress:
        bars = {name: progress.add_task(name, total=1.0, start=False, figures="") for name in STAGES}

        def report(name: str, part: float, figures: str) -> None:
            ends[name] = time.process_time()
            progress.start_task(bars[name])
            progress.update(bars[name], completed=part, figures=figures)

        model, processor = train(options.seed, plan, report)
    scores = evaluate(model, processor)
    ends["evaluation"] = time.process_time()
    used = dict(zip(ends, np.diff([0.0, *ends.values()]).tolist(), strict=True))
    save_captioner(model, processor, options.out, write_card(model, processor, scores, options.seed, plan, used))
    for name, hits in scores["all"].items():
        print(f"{name}: {hits.share:.1%}")


if __name__ == "__main__":
    main()
