"""How quickly the gallery answers for a workspace of many lines.

python benchmarks/gallery.py [--quick] [--lines 10000] [--visits 20]

A made lake (two 640 x 360 frames, a caption and an answer for each line; shards of 256 lines) is opened, its pages are
asked for through the server's own application, without the browser's time. Aimed at: no page above 1 s. The floor of a
page is what its rows cost to render; of a dialogue's first visit, decoding and encoding its pictures.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from flows.gallery_server import HOST, application
from flows.settings import validate
from model.atomic import write_json
from model.dialogue import Caption, Keyframe, Prediction, Utterance
from model.emotions import labels
from storage.layout import open_workspace
from storage.shards import write_shard
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot
from tasks.plan import Run, resolve

TURNS, SHARD = 10, 256
WORDS = ["tea", "rain", "never", "always", "yes", "mother", "again", "really", "fine", "wait", "look", "tomorrow"]


def picture(seed: int) -> bytes:
    """A frame of 640 x 360 pixels with some detail in it."""
    noise = np.random.default_rng(seed).integers(0, 255, (36, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize((640, 360), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def lines(count: int) -> list[Utterance]:
    """Dialogues of ten lines by six speakers, all of the test split."""
    draw = random.Random(1)
    made = []
    for number in range(count):
        dialogue, turn = divmod(number, TURNS)
        where = ("demo", "test", str(dialogue), turn, str(turn))
        text = " ".join(draw.choices(WORDS, k=8))
        name = f"demo/test/{dialogue}/{turn}"
        made.append(Utterance(name, *where, f"Person {draw.randrange(6)}", text, draw.choice(labels("demo"))))
    return made


def make(root: Path, count: int) -> Run:
    """A run with all that the gallery shows."""
    layout = open_workspace(root / "workspace", create=True)
    run = resolve("many", layout, validate({"name": "many", "ingest": {"corpus": "demo"}}, "benchmark"), "many.toml")
    made, pictures, draw = lines(count), [picture(seed) for seed in range(16)], random.Random(2)
    shards = [made[start : start + SHARD] for start in range(0, count, SHARD)]
    keys = {name: run.keys[name] or "" for name in ("ingest", "keyframes", "captions", "evaluate")}
    listed = [{"shard": number, "split": "test", "rows": len(part)} for number, part in enumerate(shards)]
    write_json(layout.shard_list(keys["ingest"]), {"shards": listed, "rows": count, "rejects": 0})
    for number, part in enumerate(shards):
        write_shard(layout, "utterances", keys["ingest"], number, part, {})
        frames = [
            Keyframe(
                row.utterance_id, rank, 0.5 + rank, draw.choice(pictures), 640, 360, 9, 0, 1, False, None, None, "m"
            )
            for row in part
            for rank in range(2)
        ]
        write_shard(layout, "keyframes", keys["keyframes"], number, frames, {})
        told = [Caption(row.utterance_id, f"Seen: {row.text}", "m", "r", "p", 2, 9, (), 0.1) for row in part]
        write_shard(layout, "captions", keys["captions"], number, told, {})
        write_shard(layout, "predictions", keys["evaluate"], number, [says(row, draw) for row in part], {})
    return run


def says(row: Utterance, draw: random.Random) -> Prediction:
    """A random answer."""
    label = draw.choice(labels("demo"))
    rest = 0.4 / (len(labels("demo")) - 1)
    scores = {name: 0.6 if name == label else rest for name in labels("demo")}
    return Prediction(row.utterance_id, "tuned", row.emotion, label, scores, label, 0.1)


def timed(what: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    what()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the same; it ends in a minute")
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--visits", type=int, default=20, help="of each kind of page")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = make(Path(folder), asked.lines)
        start = time.perf_counter()
        pages = Pages(Snapshot(run), Served())
        opening = time.perf_counter() - start
        client = TestClient(application(pages, 1, "token"), base_url=f"http://{HOST}:1")
        client.get("/", params={"token": "token"})
        found = visits(client, asked.lines // TURNS, asked.visits)
    print(f"{asked.lines} lines: opened in {opening:.2f} s")
    print(f"{'page':<24}{'median ms':>10}{'slowest ms':>12}")
    for name, seconds in found.items():
        print(f"{name:<24}{1000 * statistics.median(seconds):>10.0f}{1000 * max(seconds):>12.0f}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    slowest = max(max(seconds) for seconds in found.values())
    print(json.dumps({"open_seconds": opening, "slowest_page_seconds": slowest, "peak_mb": round(peak)}))


def visits(client: TestClient, dialogues: int, count: int) -> dict[str, list[float]]:
    """Seconds of each visit by kind of page; every answer must be one."""
    draw = random.Random(3)

    def ask(address: str) -> float:
        return timed(lambda: client.get(address).raise_for_status())

    def one() -> str:
        return f"demo/test/{draw.randrange(dialogues)}"

    fresh = draw.sample(range(dialogues), count)
    return {
        "list": [ask(f"/?page={draw.randint(1, max(1, dialogues // 25))}") for _ in range(count)],
        "list, worst first": [ask("/?answer=wrong&order=worst") for _ in range(count)],
        "search": [ask(f"/?words={draw.choice(WORDS)}+{draw.choice(WORDS)}") for _ in range(count)],
        "dialogue": [ask(f"/dialogue?id={one()}") for _ in range(count)],
        "line": [ask(f"/utterance?id={one()}/{draw.randrange(TURNS)}") for _ in range(count)],
        "first picture": [ask(f"/picture?id=demo/test/{n}/0&rank=0&size=small") for n in fresh],
        "picture again": [ask(f"/picture?id=demo/test/{n}/3&rank=1&size=small") for n in fresh],
    }


if __name__ == "__main__":
    main()
