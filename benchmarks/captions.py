"""What captions cost: our captioner beside the common loop, which describes one utterance at a time, interleaved.

python benchmarks/captions.py [--quick] [--model demo] [--utterances 96]

The floor aimed at is 4 times the loop's speed with the demo's captioner. The loop is what captioning operators of data
pipelines do: chat template, processor, `generate` and `decode` for each utterance. It is given the same model, frames
and limit, and its texts must be ours. The pictures are drawn as the demo's are, one to four of each utterance. Ours
also runs with one utterance at once, to show what batches are worth. Wall time is what a person waits; CPU time tells
less of what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model import caption_models, weights
from model.caption_chat import Clip, chat
from model.caption_prompt import CaptionPrompt, caption_prompt
from model.captioner import Described, TransformersCaptioner
from model.pictures import decode_jpeg
from model.vlm import DEMO_FOLDER

PROMPT = caption_prompt("describe")


def main() -> None:
    options = arguments()
    figures = timed(options.model, options.cache, options.utterances, options.rounds)
    print("vLLM runs neither the demo's model nor without a GPU: no figures of it")
    table = Table("figure", "value", title=f"captions of {options.utterances} utterances by {options.model}")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer utterances and rounds")
    parser.add_argument("--model", default="demo", help="demo, a short name, a hub id or a folder")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="where weights are kept")
    parser.add_argument("--utterances", type=int, default=96)
    options = parser.parse_args()
    options.rounds = 3 if options.quick else 7
    options.utterances = min(options.utterances, 48) if options.quick else options.utterances
    return options


def drawn(utterances: int) -> list[Clip]:
    """Clips of one to four pictures of 512 x 288, the same every time."""
    import cv2
    import numpy as np

    from tasks.demo.draw import draw
    from tasks.demo.world import random_frames

    clips = []
    for number in range(utterances):
        scenes = random_frames(np.random.default_rng(number), 1 + number % 4)
        shown = [draw(scene, width=512, height=288, time_s=0.4 * at, seed=number) for at, scene in enumerate(scenes)]
        jpegs = tuple(cv2.imencode(".jpg", picture)[1].tobytes() for picture in shown)
        clips.append(Clip(jpegs, tuple(0.4 * at for at in range(len(jpegs)))))
    return clips


def loop(captioner: TransformersCaptioner, clips: list[Clip], prompt: CaptionPrompt) -> list[str]:
    """The peer: one utterance after the other."""
    import torch

    model, processor = captioner._model, captioner._processor
    said = []
    for clip in clips:
        pictures = [{"type": "image", "image": decode_jpeg(jpeg, captioner._long_side)} for jpeg in clip.jpegs]
        inputs = processor.apply_chat_template(
            chat(clip, prompt, pictures, captioner._form),
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(model.device, model.dtype)
        with torch.inference_mode():
            rows = model.generate(**inputs, max_new_tokens=prompt.limit)
        said.append(processor.decode(rows[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return said


def ours(captioner: TransformersCaptioner, clips: list[Clip], batch_size: int) -> list[str]:
    captioner.batch_size = batch_size
    found = captioner.describe(clips, PROMPT, PROMPT.limit)
    return [one.text for one in found if isinstance(one, Described)]


def timed(name: str, cache: Path, utterances: int, rounds: int) -> dict[str, Any]:
    """Captions per second, and ratios of the medians. Stops where the loop's texts are not ours."""
    folder = DEMO_FOLDER if name == "demo" else weights.resolve(name, cache)
    captioner = TransformersCaptioner(folder, model=caption_models.find(name))
    clips = drawn(utterances)

    ways: dict[str, Callable[[], list[str]]] = {
        "loop": lambda: loop(captioner, clips, PROMPT),
        "ours": lambda: ours(captioner, clips, 16),
        "ours_one_at_once": lambda: ours(captioner, clips, 1),
    }
    wall: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    texts = {}
    for _ in range(rounds):  # interleaved: all see the same noise
        for way, describe in ways.items():
            start, used = time.perf_counter(), time.process_time()
            texts[way] = [text.strip() for text in describe()]
            wall[way].append(time.perf_counter() - start)
            cpu[way].append(time.process_time() - used)
    if any(said != texts["loop"] for said in texts.values()) and not captioner._model.device.type == "cuda":
        raise SystemExit("the loop's texts differ from ours: the comparison would mean nothing")
    median = {way: statistics.median(values) for way, values in wall.items()}
    work = {way: statistics.median(values) for way, values in cpu.items()}
    figures: dict[str, Any] = {f"{way}_captions_per_s": round(utterances / value, 1) for way, value in median.items()}
    return figures | {
        "vs_loop": round(median["loop"] / median["ours"], 2),
        "vs_loop_cpu": round(work["loop"] / work["ours"], 2),
        "vs_one_at_once": round(median["ours_one_at_once"] / median["ours"], 2),
        "same_texts": round(sum(map(str.__eq__, texts["loop"], texts["ours"])) / utterances, 3),
        "pictures": sum(len(clip.jpegs) for clip in clips),
        "vs_vllm": None,
    }


if __name__ == "__main__":
    main()
