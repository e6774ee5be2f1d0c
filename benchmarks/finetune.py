"""What a training step costs: our trainer beside TRL's SFTTrainer on the same rows, step by step in turn.

python benchmarks/finetune.py [--quick] [--meld FOLDER] [--cache workspace/cache] [--threads 1]

SmolLM2-135M with a LoRA adapter on all linear layers, in float32, no dropout; prompts as the instructions stage writes
them, of MELD's train lines or of made-up ones, with two lines of context and a made-up description of a video; loss on
the answer alone. Both get the same tokens, the same batches in the same order, the same first adapter, the same
optimizer. TRL (pip install trl datasets) has its tokens ready, no gradient checkpointing, and is tried padded and, if
not --quick, padding-free; the faster counts. So is ours without oneDNN (model/fast_linear.py), which gains most where
torch's BLAS does not know the processor. Each trainer is a process of its own that does a step when it is told to; ours
and one other are in memory at a time, so that ours is measured again beside each of them.

Steps are timed by the CPU seconds of the process, with one thread unless --threads says more (then by the clock).
The floor is the multiplications of the frozen weights, forwards and backwards, on the tokens that differ, at the speed
of one such multiplication measured in between. It is to be at least 2.5 times TRL's examples per second.

On a GPU: --shape llama-2-7b --preset paper --batch 128 --micro-batch 8 --steps 13 trains a model of that shape with
random weights in bfloat16, 16 parts a step, and tells the hours of the paper's ten epochs of 24,304 lines
(`paper_hours`); matrix_rate_share is to be at least 0.55 there. The first step of each trainer is not counted.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from training import floor, shapes
from training.child import serve

from tasks.finetune_settings import PRESETS

PAPER_EXAMPLES = 10 * 24_304  # ten epochs of MELD, EmoryNLP and IEMOCAP
NAMES = ["ours", "ours_without_onednn", "trl", "trl_padding_free"]


def main() -> None:
    options = arguments()
    if options.child:
        return serve(options)
    orders = ("shuffled",) if options.quick else ("shuffled", "grouped")
    figures: dict[str, Any] = {}
    for order in orders:
        figures |= {
            name if order == "shuffled" else f"{name}_{order}": v for name, v in compared(options, order).items()
        }
    table = Table(
        "figure", "value", title=f"batches of {options.batch}, {options.steps} steps, {options.threads} threads"
    )
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))
    return None


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 steps, shuffled rows, TRL padded")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--meld", type=Path, help="folder of MELD's CSV files; else lines are made up")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="where the weights are kept")
    parser.add_argument("--trainers", help=f"some of {','.join(NAMES)}; two at a time hold 9 GB")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shape", choices=shapes.SHAPES, help="a model of this shape with random weights")
    parser.add_argument("--tokenizer", type=Path, help="with --shape: the folder of the one that writes the rows")
    parser.add_argument("--preset", choices=PRESETS, help="whose adapter is trained; all linear layers by default")
    parser.add_argument("--batch", type=int, default=8, help="rows of a step")
    parser.add_argument("--micro-batch", type=int, help="rows that are computed at a time; the batch by default")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--order", default="shuffled", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.steps = 4 if options.quick else options.steps
    options.micro_batch = options.micro_batch or options.batch
    return options


def compared(options: argparse.Namespace, order: str) -> dict[str, Any]:
    """Ours beside each other trainer on the same batches, a step each in turn; two at a time are in memory."""
    names = (["ours", "trl"] if options.quick else NAMES) if options.trainers is None else options.trainers.split(",")
    if not (importlib.util.find_spec("trl") and importlib.util.find_spec("datasets")):
        print("trl and datasets are not installed: no figures of the peer")
        names = [name for name in names if not name.startswith("trl")]
    others = [name for name in names if name != "ours"]
    pairs = [["ours", name] for name in others] or [["ours"]]
    return summary([in_turn(pair, order, options) for pair in pairs], options.batch)


Turn = dict[str, Any]
"""What two trainers did: their steps by name, their peak memory, what the rows are like, the multiplication's speed."""


def in_turn(names: Sequence[str], order: str, options: argparse.Namespace) -> Turn:
    children = {name: start(name, order, options) for name in names}
    steps: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    about = {name: ask(child) for name, child in children.items()}  # loaded
    speeds = []
    for _ in range(options.steps):
        for name, child in children.items():
            steps[name].append(ask(child))
        speeds.append(floor.gflops(options))
    peaks = {name: ask(child)["peak_mib"] for name, child in children.items()}
    for child in children.values():
        child.wait()
    return {"steps": steps, "peaks": peaks, "about": about["ours"], "speed": statistics.median(speeds)}


def start(name: str, order: str, options: argparse.Namespace) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--child", name, "--order", order, "--steps", str(options.steps)]
    command += ["--threads", str(options.threads), "--cache", str(options.cache)]
    command += ["--batch", str(options.batch), "--micro-batch", str(options.micro_batch)]
    for name in ("meld", "shape", "tokenizer", "preset"):
        command += [f"--{name}", str(getattr(options, name))] if getattr(options, name) else []
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(child: subprocess.Popen[str]) -> dict[str, float]:
    """One answer of a child, which is told to go on first."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("go\n")
    child.stdin.flush()
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"{child.args} ended early")
    return dict(json.loads(line))


def summary(turns: Sequence[Turn], batch: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    times: dict[str, float] = {}
    for turn in turns:
        seconds = {name: seconds_of(steps) for name, steps in turn["steps"].items()}
        for name, steps in turn["steps"].items():
            times[name] = seconds[name] / seconds["ours"]
            figures[f"{name}_examples_per_s"] = round(batch / seconds[name], 2)
            figures[f"{name}_peak_mib"] = round(turn["peaks"][name])
            figures[f"{name}_losses"] = [round(step["loss"], 4) for step in steps]
    peers = [name for name in times if name.startswith("trl")]
    best = min(peers, key=lambda name: times[name]) if peers else None
    mean = turns[0]["about"]
    floors = [turn["about"]["gflop_a_step"] / turn["speed"] for turn in turns]
    ours = [seconds_of(turn["steps"]["ours"]) for turn in turns]
    over_floor = statistics.median(a / b for a, b in zip(ours, floors, strict=True))
    return {
        "vs_trl": round(times[best], 2) if best else None,
        "loss_gap": max((loss_gap(turn) for turn in turns if peers_of(turn)), default=None),
        "memory_vs_trl": round(figures["ours_peak_mib"] / figures[f"{best}_peak_mib"], 2) if best else None,
        "vs_trl_without_onednn": (
            round(times[best] / times["ours_without_onednn"], 2) if best and "ours_without_onednn" in times else None
        ),
        "ours_vs_floor": round(over_floor, 2),
        "matrix_rate_share": round(1 / over_floor, 3),
        "paper_hours": round(PAPER_EXAMPLES * statistics.median(ours) / batch / 3600, 2),
        "gflops": round(statistics.median(turn["speed"] for turn in turns), 1),
        "unique_tokens_share": round(mean["unique_share"], 3),
        "padded_tokens_share": round(mean["padded_share"], 3),
        **figures,
    }


def seconds_of(steps: Sequence[Mapping[str, float]]) -> float:
    """Those of a step after the first."""
    return statistics.median(step["seconds"] for step in steps[1:])


def peers_of(turn: Turn) -> list[str]:
    return [name for name in turn["steps"] if name.startswith("trl")]


def loss_gap(turn: Turn) -> float:
    """Largest difference of a step's loss between ours and the peer."""
    pairs = [zip(turn["steps"]["ours"], turn["steps"][name], strict=True) for name in peers_of(turn)]
    return max(abs(a["loss"] - b["loss"]) for some in pairs for a, b in some)


if __name__ == "__main__":
    main()
