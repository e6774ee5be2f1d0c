"""The demo captioner's model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.demo.captioner_data import CROWDS, POOL, SIDE, Plan, make_shot
from tasks.demo.captioner_model import IMAGE_TOKENS, LAYERS, TEXT_WIDTH
from tasks.demo.captioner_score import ATTRIBUTES, HELD_OUT, Hits

_TEMPLATE = """\
---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: image-text-to-text
demo_world: true
dialoguellm_world: demo
---

# Demo captioner

A LLaVA of {millions:.1f} million parameters that describes the pictures of DialogueLLM's demo, and nothing else. It
was trained from scratch on drawn scenes only: eight places, two kinds of figure, eight hairs, eight clothing
colours, eight facial expressions, six postures, three kinds of shot, up to three people. **On any other picture
it writes fluent nonsense.** `config.json` carries `"dialoguellm_world": "demo"` so that programs can refuse it there.

It exists so that the whole pipeline, with a real vision-language model in it, runs on a laptop without a download.
For real videos choose a real model in the settings.

## Use

1 to 4 pictures of one utterance in time order; the chat template drops the instruction, since the model knows one
task only. No torchvision, no remote code.

```python
from transformers import AutoModelForImageTextToText, AutoProcessor

processor = AutoProcessor.from_pretrained("model/demo_captioner")
model = AutoModelForImageTextToText.from_pretrained("model/demo_captioner")
```

## Parts

LeViT vision tower ({side} × {side} pixels, {tokens} tokens a picture), two-layer projector, LLaMA decoder
({layers} layers, {width} wide), byte-level BPE of {vocabulary} tokens. {count:,} parameters as float16 safetensors;
`config.json` has them read and run as float32.

## Training

`python -m tasks.demo.train_captioner --seed {seed} --out DIR`

{training}

One thread, {total:.0f} CPU minutes in all. The number of steps is fixed: same seed, machine and library versions, same
weights. Seeds: pictures {pool} to {pool_end}, crowds {crowds} to {crowds_end}, language 100,000,000 to
399,999,999, held-out {held} to {held_end}.

Descriptions name what can be seen and never an emotion word, so captions cannot leak an utterance's label.

## Held-out accuracy

{utterances} utterances ({frames:,} pictures) of seeds that were not used in training, greedy decoding. Attributes of
people are counted per person, in order from left to right. An expression that changes within the utterance counts
only when both of its values and their order are right, and shots only when all of them and their order are.
Intervals are Wilson's, 95 %; they count the people of one picture as independent.

{table}

The same by number of frames and by the first shot, in per cent:

{groups}

What changes in this world within an utterance is the speaker's expression and the shot. There are no other actions:
a posture is held.

## Limits

It knows drawn figures of this one world only, in English only. {weakest}
Licence: Apache-2.0. No third-party data.
"""


def write_card(
    model: Any,
    processor: Any,
    scores: Mapping[str, Mapping[str, Hits]],
    seed: int,
    plan: Plan,
    used: Mapping[str, float],
) -> str:
    """README.md of the model folder: ``scores`` as ``evaluate`` gives them, ``used`` the CPU seconds by stage."""
    count = sum(parameter.numel() for parameter in model.parameters())
    return _TEMPLATE.format(
        millions=count / 1e6,
        count=count,
        layers=LAYERS,
        width=TEXT_WIDTH,
        side=SIDE,
        tokens=IMAGE_TOKENS,
        vocabulary=len(processor.tokenizer),
        seed=seed,
        training=_training(plan, used),
        total=sum(used.values()) / 60,
        pool=f"{POOL:,}",
        pool_end=f"{POOL + plan.shots - 1:,}",
        crowds=f"{CROWDS:,}",
        crowds_end=f"{CROWDS + plan.crowds - 1:,}",
        held=f"{HELD_OUT[0]:,}",
        held_end=f"{HELD_OUT[-1]:,}",
        utterances=len(HELD_OUT),
        frames=sum(len(make_shot(held).scenes) for held in HELD_OUT),
        table=_table(scores["all"]),
        groups=_groups(scores),
        weakest=_weakest(scores["all"]),
    )


def _training(plan: Plan, used: Mapping[str, float]) -> str:
    says = {
        "rendering": f"{plan.shots:,} utterances are drawn, with JPEG artefacts, and {plan.crowds:,} crowds of people.",
        "vision tower": f"The tower learns, cell by cell, who is where and how they look: {plan.vision:,} steps.",
        "decoder, simulated": f"The decoder learns the language on simulated scores: {plan.simulated:,} steps.",
        "decoder, pictures": f"It goes on with the features of the drawn pictures: {plan.pictures:,} steps.",
        "evaluation": "The held-out pictures are drawn and described.",
    }
    return "\n".join(
        f"{number}. {says[name]} {seconds / 60:.1f} CPU minutes."
        for number, (name, seconds) in enumerate(used.items(), 1)
    )


def _table(scores: Mapping[str, Hits]) -> str:
    lines = ["| attribute | right | of | per cent | 95 % interval |", "|---|---|---|---|---|"]
    for name in ATTRIBUTES:
        if hits := scores.get(name):
            low, high = hits.interval()
            interval = f"{100 * low:.1f} to {100 * high:.1f}"
            lines.append(f"| {name} | {hits.right} | {hits.asked} | {100 * hits.share:.1f} | {interval} |")
    return "\n".join(lines)


def _groups(scores: Mapping[str, Mapping[str, Hits]]) -> str:
    names = list(scores)[1:]
    lines = [f"| attribute | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for attribute in ATTRIBUTES:
        cells = [scores[name].get(attribute, Hits(0, 0)) for name in names]
        lines.append(f"| {attribute} | {' | '.join(f'{100 * c.share:.1f}' if c.asked else '' for c in cells)} |")
    return "\n".join(lines)


def _weakest(scores: Mapping[str, Hits]) -> str:
    worst = sorted((n for n in scores if n != "whole caption"), key=lambda name: scores[name].share)[:2]
    return f"Weakest: {' and '.join(f'{name} ({scores[name].share:.1%})'.replace('%', ' %') for name in worst)}."
