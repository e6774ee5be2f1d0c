"""The demo captioner's model card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tasks.demo.captioner_data import SIDE, make_shot
from tasks.demo.captioner_model import IMAGE_TOKENS
from tasks.demo.captioner_score import HELD_OUT

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

LeViT vision tower ({side} × {side} pixels, {tokens} tokens a picture), two-layer projector, LLaMA decoder (3 layers,
192 wide), byte-level BPE of {vocabulary} tokens. Weights are float32 safetensors, {megabytes:.1f} MB.

## Training

`python -m tasks.demo.train_captioner --seed {seed} --minutes {minutes:g} --out DIR`

1. Scenes are rendered with JPEG artefacts and resized as the image processor does.
2. The tower learns, cell by cell, who is where and how they look.
3. The decoder learns the language on simulated attribute scores, then on the features of rendered pictures.

The stages are timed by the clock, so training again gives similar weights, not the same ones.

Descriptions name what can be seen and never an emotion word, so captions cannot leak an utterance's label.

## Held-out accuracy

{utterances} utterances of seeds that were not used in training ({frames} pictures), greedy decoding, in per cent.
Person attributes are counted per person, in order from left to right; an expression that changes within the
utterance counts only when both of its values and their order are right.

{table}

## Limits

Drawn figures only; English only; postures, and expressions that change within an utterance, are the hardest.
Licence: Apache-2.0. No third-party data.
"""


def write_card(model: Any, processor: Any, scores: Mapping[str, Mapping[str, float]], seed: int, minutes: float) -> str:
    """README.md of the model folder; ``scores`` as ``captioner_score.evaluate`` gives them."""
    count = sum(parameter.numel() for parameter in model.parameters())
    return _TEMPLATE.format(
        millions=count / 1e6,
        megabytes=count * 4 / 1e6,
        side=SIDE,
        tokens=IMAGE_TOKENS,
        vocabulary=len(processor.tokenizer),
        seed=seed,
        minutes=minutes,
        utterances=len(HELD_OUT),
        frames=sum(len(make_shot(held).scenes) for held in HELD_OUT),
        table=_table(scores),
    )


def _table(scores: Mapping[str, Mapping[str, float]]) -> str:
    groups = list(scores)
    lines = [f"| attribute | {' | '.join(groups)} |", f"|---|{'---|' * len(groups)}"]
    for name in scores["all"]:
        cells = [f"{100 * scores[group].get(name, float('nan')):.1f}" for group in groups]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
