"""What captions cost: our captioner beside the common loop, which describes one utterance at a time, interleaved.

python benchmarks/captions.py [--quick] [--model demo] [--utterances 128] [--vllm PYTHON]

The floor aimed at is 4 times the loop's speed with the demo's captioner on a CPU, and a GPU that is busy for 90 % of
the time. The loop is what captioning operators of data pipelines do: chat template, processor, `generate` and `decode`
for each utterance, with as many threads as torch likes. It is given the same model, frames and limit, and its texts
must be ours. The pictures are drawn as the demo's are, one to four of each utterance. Ours is what the stage runs, a
shard in batches over processes, once these are there; beside it stands one process, which is this one, with batches of
16 and of one utterance. `--vllm` names the interpreter of an environment that has vLLM: a child of that shows the same
pictures to the same model, offline and all at once (captioning/vllm_peer.py); on a GPU ours should be within 10 % of
it. Wall time is what a person waits; CPU time tells less of what else the machine does.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from captioning.vllm_peer import VllmPeer
from rich.console import Console
from rich.table import Table

from model import caption_models, machine, weights
from model.caption_chat import Clip, chat
from model.caption_process import Job
from model.caption_processes import ProcessCaptioner
from model.caption_prompt import CaptionPrompt, caption_prompt
from model.captioner import Captioner, Described, TransformersCaptioner
from model.pictures import decode_jpeg
from model.vlm import DEMO_FOLDER

PROMPT = caption_prompt("describe")


def main() -> None:
    options = arguments()
    processes = options.processes or (1 if machine.has_gpu() else machine.cores())
    figures = timed(options.model, options.cache, options.utterances, options.rounds, processes, options.vllm)
    if options.vllm is None:
        print("vLLM: no figures of it without --vllm PYTHON")
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
    parser.add_argument("--utterances", type=int, default=128)
    parser.add_argument("--processes", type=int, help="of our captioner; one a core, or one on a GPU")
    parser.add_argument("--vllm", type=Path, metavar="PYTHON", help="interpreter of an environment with vLLM")
    options = parser.parse_args()
    options.rounds = 3 if options.quick else 5
    options.utterances = min(options.utterances, 64) if options.quick else options.utterances
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


def ours(captioner: Captioner, clips: list[Clip]) -> list[str]:
    found = captioner.describe(clips, PROMPT, PROMPT.limit)
    return [one.text for one in found if isinstance(one, Described)]


def timed(
    name: str, cache: Path, utterances: int, rounds: int, processes: int, vllm: Path | None = None
) -> dict[str, Any]:
    """Captions per second, and ratios of the medians. Stops where the loop's texts are not ours."""
    folder = DEMO_FOLDER if name == "demo" else weights.resolve(name, cache)
    shown = caption_models.find(name)
    inside, single = TransformersCaptioner(folder, model=shown), TransformersCaptioner(folder, 1, shown)
    job = Job(folder, shown, max(1, machine.cores() // processes))
    several = ProcessCaptioner(job, processes=processes, idle_s=86400)  # they stay while the others are timed
    clips = drawn(utterances)
    started = start(several, clips)

    ways: dict[str, Callable[[], list[str]]] = {
        "loop": lambda: loop(inside, clips, PROMPT),
        "ours": lambda: ours(several, clips),
        "ours_one_process": lambda: ours(inside, clips),
        "ours_one_at_once": lambda: ours(single, clips),
    }
    peer = VllmPeer(vllm, folder, demo=name == "demo") if vllm else None
    if peer:
        ways["vllm"] = lambda: peer.describe(clips, PROMPT)
    wall: dict[str, list[float]] = {way: [] for way in ways}
    cpu: dict[str, list[float]] = {way: [] for way in ways}
    busy: list[float] = []
    texts = {}
    for _ in range(rounds):  # interleaved: all see the same noise
        for way, describe in ways.items():
            begun, used = time.perf_counter(), cpu_seconds()
            with gpu_busy(busy if way == "ours" else []):
                texts[way] = [text.strip() for text in describe()]
            wall[way].append(time.perf_counter() - begun)
            cpu[way].append(cpu_seconds() - used)
    several.close()
    if peer:
        peer.close()
    if any(texts[way] != texts["loop"] for way in ways if way != "vllm") and not machine.has_gpu():
        raise SystemExit("the loop's texts differ from ours: the comparison would mean nothing")
    median = {way: statistics.median(values) for way, values in wall.items()}
    work = {way: statistics.median(values) for way, values in cpu.items()}
    figures: dict[str, Any] = {f"{way}_captions_per_s": round(utterances / value, 1) for way, value in median.items()}
    figures |= {f"{way}_cpu_ms": round(1000 * value / utterances, 1) for way, value in work.items()}
    return figures | {
        "processes": processes,
        "start_s": started,
        "vs_loop": round(median["loop"] / median["ours"], 2),
        "vs_loop_cpu": round(work["loop"] / work["ours"], 2),
        "one_process_vs_loop": round(median["loop"] / median["ours_one_process"], 2),
        "vs_one_at_once": round(median["ours_one_at_once"] / median["ours_one_process"], 2),
        "same_texts": round(sum(map(str.__eq__, texts["loop"], texts["ours"])) / utterances, 3),
        "pictures": sum(len(clip.jpegs) for clip in clips),
        "gpu_busy": round(statistics.mean(busy) / 100, 3) if busy else None,
        "vs_vllm": round(median["vllm"] / median["ours"], 2) if peer else None,
        "one_process_vs_vllm_cpu": round(work["vllm"] / work["ours_one_process"], 2) if peer else None,
        "vllm_same_texts": round(sum(map(str.__eq__, texts["loop"], texts["vllm"])) / utterances, 3) if peer else None,
        "vllm": peer.version if peer else None,
    }


def start(captioner: ProcessCaptioner, clips: list[Clip]) -> float:
    """Seconds until the first process is there; works until all of them are."""
    begun = time.perf_counter()
    captioner.describe(clips[:1], PROMPT, 1)
    first = round(time.perf_counter() - begun, 1)
    while captioner.running() < captioner.processes:
        captioner.describe(clips, PROMPT, PROMPT.limit)
    return first


def cpu_seconds() -> float:
    """Of this process and of those that it started."""
    here = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (here, *here.children(recursive=True)))


@contextmanager
def gpu_busy(found: list[float]) -> Iterator[None]:
    """Per cent of the time in which the GPU was at work, as its driver tells it, some five times a second."""
    program, done = shutil.which("nvidia-smi"), threading.Event()

    def look() -> None:
        while program and not done.wait(0.2):
            asked = [program, "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.splitlines()
            found.extend(float(line) for line in said[:1] if line.strip().isdigit())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
