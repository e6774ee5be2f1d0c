"""Trains the demo captioner from nothing: ``python -m tasks.demo.train_captioner --seed 7 --minutes 45 --out DIR``.

Scenes are rendered by a second process while the first one trains; two CPU cores are enough.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tasks.demo.captioner_card import write_card
from tasks.demo.captioner_data import FramePool, Shot, make_shot
from tasks.demo.captioner_language import (
    Example,
    captions_of,
    project_scores,
    seed_projector,
    simulate,
    train_language,
)
from tasks.demo.captioner_model import build_model, build_processor, build_tokenizer, save_captioner
from tasks.demo.captioner_score import evaluate
from tasks.demo.captioner_vision import augment, to_pixels, train_vision

_SHARES = {"vision tower": 0.55, "decoder, simulated": 0.2, "decoder, pictures": 0.25}
_POOL = 1_000_000  # first training seed; held-out seeds lie far above the last one
_SHOTS = 16_000  # about 33,000 frames
_FIRST_FRAMES = 500  # rendered before training begins
Report = Callable[[float, str], None]


def train(seed: int, minutes: float, report: Callable[[str, float, str], None], shots: int = _SHOTS) -> tuple[Any, Any]:
    """The trained model and its processor after ``minutes`` of training on at most ``shots`` rendered utterances.

    ``report`` gets the stage, the part of it that is done (0..1) and a line of figures.
    """
    import torch

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    times = {name: minutes * share for name, share in _SHARES.items()}
    with tempfile.TemporaryDirectory() as folder:
        pool = FramePool(Path(folder), range(_POOL, _POOL + shots))
        try:
            pool.wait(min(_FIRST_FRAMES, shots))
            stages = iter(times.items())
            name, share = next(stages)
            heads = train_vision(model.model.vision_tower, pool.frames, share, rng, _named(report, name))
            name, share = next(stages)
            learn_language(model, tokenizer, share, rng, _named(report, name))
            seed_projector(model.model.multi_modal_projector, heads)
            name, share = next(stages)
            learn_pictures(model, tokenizer, pool, share, rng, _named(report, name))
        finally:
            pool.close()
    return model.eval(), build_processor(tokenizer)


def learn_language(model: Any, tokenizer: Any, minutes: float, rng: np.random.Generator, report: Report) -> None:
    """Decoder and projector on simulated scores: no picture is rendered for it."""
    projector = model.model.multi_modal_projector

    def sample(count: int, pictures: int, rng: np.random.Generator) -> Example:
        shots: list[Shot] = []
        picked: list[list[int]] = []
        while len(shots) < count:
            shot = make_shot(int(rng.integers(_POOL + _SHOTS, 400_000_000)))
            if len(shot.scenes) >= pictures:
                shots.append(shot)
                picked.append(np.sort(rng.choice(len(shot.scenes), pictures, replace=False)).tolist())
        frames = [(shot, i) for shot, chosen in zip(shots, picked, strict=True) for i in chosen]
        return simulate(frames, rng).unflatten(0, (count, pictures)), captions_of(shots, picked)

    train_language(model, tokenizer, sample, lambda scores: project_scores(projector, scores), minutes, rng, report)


def learn_pictures(
    model: Any, tokenizer: Any, pool: FramePool, minutes: float, rng: np.random.Generator, report: Report
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

    train_language(model, tokenizer, sample, model.model.multi_modal_projector, minutes, rng, report, rate=5e-4)


def _named(report: Callable[[str, float, str], None], name: str) -> Report:
    return lambda part, figures: report(name, part, figures)


def main(arguments: Sequence[str] | None = None) -> None:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    columns = (
        TextColumn("{task.description:18}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns) as progress:
        bars = {name: progress.add_task(name, total=1.0, start=False, figures="") for name in _SHARES}

        def report(name: str, part: float, figures: str) -> None:
            progress.start_task(bars[name])
            progress.update(bars[name], completed=part, figures=figures)

        model, processor = train(options.seed, options.minutes, report)
    scores = evaluate(model, processor)
    save_captioner(model, processor, options.out, write_card(model, processor, scores, options.seed, options.minutes))
    print(f"written to {options.out}: expression {scores['all']['expressions']:.1%} on held-out pictures")


if __name__ == "__main__":
    main()
