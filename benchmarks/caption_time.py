"""The time that is told of a captioner before it was ever timed, beside the time it takes.

python benchmarks/caption_time.py [--quick] [--model smolvlm2-256m …] [--tokens 24]

Models in full size with random weights, whose captions never end before the limit, in this process on all cores, and
the shipped one in one thread, as its processes have; lines of one and of several pictures, alone and in batches. What
model/caption_time.py reckons of this machine's speed, measured just before, should be within a factor of 1.5 (3 on a
GPU, aimed at blindly). The larger models need four bytes a number of disk and memory: name them with --model where
there is room.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from captions import drawn
from rich.console import Console
from rich.table import Table

from model import caption_time, machine
from model.caption_chat import Clip
from model.caption_models import MODELS
from model.caption_prompt import caption_prompt
from model.caption_time import Work
from model.captioner import Described, TransformersCaptioner
from model.vlm import DEMO_FOLDER

SHAPES = ((1, 1), (4, 2), (8, 1), (16, 4))
"""Lines at once and pictures of each."""
QUICK = SHAPES[:2]


def main() -> None:
    options = arguments()
    table = Table("model", "lines", "pictures", "tokens", "reckoned s", "took s", "took / reckoned")
    found = []
    for name in options.model:
        with tempfile.TemporaryDirectory() as folder:
            captioner = loaded(name, Path(folder))
            for row in timed(name, captioner, options.tokens, QUICK if options.quick else SHAPES):
                found.append(row)
                table.add_row(*map(str, row.values()))
    Console().print(table)
    print(json.dumps(found))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the two smaller shapes, of the two smallest models")
    parser.add_argument("--model", action="append", choices=[*caption_time.ARITHMETIC], help="may be given repeatedly")
    parser.add_argument("--tokens", type=int, default=24, help="that each caption has")
    options = parser.parse_args()
    options.model = options.model or ["demo", "smolvlm2-256m", *([] if options.quick else ["smolvlm2-500m"])]
    return options


def loaded(name: str, folder: Path) -> TransformersCaptioner:
    torch.set_num_threads(1 if name == "demo" else machine.cores())
    if name == "demo":
        return TransformersCaptioner(DEMO_FOLDER)
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from whole_captioners import build_whole

    return TransformersCaptioner(build_whole(MODELS[name], folder), model=MODELS[name])


def timed(
    name: str, captioner: TransformersCaptioner, tokens: int, shapes: tuple[tuple[int, int], ...]
) -> Iterator[dict[str, Any]]:
    """One row a shape: what is reckoned for the tokens that were read and written, and the time it took."""
    model = caption_time.find(name)
    assert model is not None
    pictures = cycle(dict.fromkeys(jpeg for clip in drawn(64) for jpeg in clip.jpegs))
    for lines, shown in shapes:
        captioner.batch_size = lines
        times = tuple(map(float, range(shown)))
        clips = [Clip(tuple(next(pictures) for _ in times), times) for _ in range(lines)]
        captioner.describe(clips[:1], caption_prompt("describe"), 2)
        speed = caption_time.measured()
        start = time.perf_counter()
        said = captioner.describe(clips, caption_prompt("describe"), tokens)
        took = time.perf_counter() - start
        good = [one for one in said if isinstance(one, Described)]
        written = sum(one.n_tokens for one in good) / len(good)
        read = sum(one.n_prompt_tokens for one in good) / len(good) - shown * model.picture_tokens
        work = Work(shown, written, lines, prompt=round(read))
        reckoned = lines * caption_time.seconds(model, work, speed)
        yield {
            **{"model": name, "lines": lines, "pictures": shown, "tokens": round(written, 1)},
            **{"reckoned": round(reckoned, 2), "took": round(took, 2), "ratio": round(took / reckoned, 2)},
        }


if __name__ == "__main__":
    main()
