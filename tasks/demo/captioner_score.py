"""Accuracy of the demo captioner, attribute by attribute, on pictures of unseen seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.demo.captioner_data import Shot, make_shot, render_shot
from tasks.demo.world import SHOTS, parse_description

HELD_OUT = range(500_000_000, 500_000_600)  # no training seed lies here
PERSON = ("figure", "hair", "clothing", "expressions", "posture")
CHANGES = {"shots": "shots that change", "expressions": "expressions that change"}
ATTRIBUTES = ("count", "place", "shots", CHANGES["shots"], *PERSON, CHANGES["expressions"], "whole caption")


@dataclass(frozen=True, slots=True)
class Hits:
    """How many of ``asked`` values were right."""

    right: int
    asked: int

    @property
    def share(self) -> float:
        """0..1; nan where nothing was asked."""
        return self.right / self.asked if self.asked else float("nan")

    def interval(self) -> tuple[float, float]:
        """95 % by Wilson (1927), 0..1; values of the same picture are counted as independent."""
        from scipy.stats import binomtest

        low, high = binomtest(self.right, self.asked).proportion_ci(method="wilson")
        return float(low), float(high)


def write_captions(model: Any, processor: Any, pictures: Sequence[Sequence[Any]], batch: int = 16) -> list[str]:
    """Greedy captions of utterances, each a sequence of RGB arrays or Pillow images in time order."""
    import torch
    from PIL import Image

    texts: list[str] = []
    for start in range(0, len(pictures), batch):
        chats = [
            [{"role": "user", "content": [{"type": "image", "image": _image(Image, p)} for p in shown]}]
            for shown in pictures[start : start + batch]
        ]
        inputs = processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        with torch.inference_mode():
            rows = model.generate(**inputs, max_new_tokens=160, do_sample=False)
        new = rows[:, inputs["input_ids"].shape[1] :]
        texts += processor.batch_decode(new, skip_special_tokens=True)
    return texts


def score(texts: Sequence[str], shots: Sequence[Shot]) -> dict[str, Hits]:
    """Right values per attribute; a missing or surplus person counts as wrong throughout.

    Shots and expressions that change within the utterance are counted once more under names of their own.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    for text, shot in zip(texts, shots, strict=True):
        said, true = parse_description(text), parse_description(shot.caption)
        for name in ("place", "shots", "count"):
            _count(right, name, said[name], true[name])
        for index, person in enumerate(true["people"]):
            told = said["people"][index] if index < len(said["people"]) else {}
            for name in PERSON:
                _count(right, name, told.get(name), person[name])
        right["whole caption"].append(text.strip() == shot.caption)
    return {name: Hits(sum(hits), len(hits)) for name, hits in right.items()}


def _count(right: dict[str, list[bool]], name: str, said: Any, true: Any) -> None:
    right[name].append(said == true)
    if name in CHANGES and len(true) > 1:
        right[CHANGES[name]].append(said == true)


def evaluate(model: Any, processor: Any, seeds: range = HELD_OUT) -> dict[str, dict[str, Hits]]:
    """``score`` of all utterances of ``seeds``, and of those with one frame or more and with each first shot."""
    shots = [make_shot(seed) for seed in seeds]
    frames = [render_shot(shot, seed) for shot, seed in zip(shots, seeds, strict=True)]
    texts = write_captions(model, processor, frames)
    groups: dict[str, list[int]] = {name: [] for name in ("all", "1 frame", "2 to 4 frames", *SHOTS)}
    for index, shot in enumerate(shots):
        for name in ("all", "1 frame" if len(shot.scenes) == 1 else "2 to 4 frames", shot.scenes[0].shot):
            groups[name].append(index)
    return {name: score([texts[i] for i in group], [shots[i] for i in group]) for name, group in groups.items()}


def _image(module: Any, picture: Any) -> Any:
    return picture if isinstance(picture, module.Image) else module.fromarray(picture)
