"""What choosing keyframes costs and what it is worth, on made videos of which everything is known.

python benchmarks/keyframes.py [--quick] [--cache workspace/benchmarks] [--face-model yunet.onnx]

The floor is decoding every frame once with PyAV in one thread and looking at none: full mode is to cost at most 1.25
of it, fast mode (which leaves undecoded what no other frame needs) at most 0.90, for clips and for one pass over a
long file with overlapping lines. Costs are CPU seconds of blocks of clips, all ways in turn on each block; a ratio is
the median over the blocks. Peers: ffmpeg's thumbnail filter, OpenCV frame by frame, PySceneDetect
(the extra "bench") and Katna. Two workers are timed by the clock and mean something on an idle machine only.

Thresholds may be tuned on the drawn clips; the unseen ones (another renderer) are only reported.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table
from video import drawn, peers, quality, speed, unseen
from video.truth import RATE, Truth, join, read, write

from tasks.demo.render import source_digest
from tasks.video.extract import Span
from tasks.video.options import Options
from tasks.video.process import DECODER_ENVIRONMENT

MELD_CLIPS, MELD_SECONDS = 13_708, 3.59
FAST, FULL = Options(), Options(mode="full")
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Job:
    """One video to make."""

    folder: Path
    name: str
    film: Callable[..., tuple[Truth, Iterator[object]]]
    arguments: tuple[float, ...]
    gop: int


def main() -> None:
    options = arguments()
    as_a_decoder()
    cv2.setNumThreads(1)
    folders = make_corpora(options.cache, options.quick)
    figures: Figures = {"load_per_core": round(speed.load(), 2)}
    spreads = clip_costs(folders, options, figures) | long_costs(folders["long"], options, figures)
    paths = sorted(folders["gop250"].glob("*.mp4"))
    gain, peak = speed.workers(paths, FAST, 2 if options.quick else 5)
    figures |= {"two_workers": gain, "worker_peak_mb": peak}
    show_quality(folders, figures)
    show(figures, spreads)
    print(json.dumps({name: None if value is None else round(value, 3) for name, value in figures.items()}))


def as_a_decoder() -> None:
    """Begins again with the environment of a decoder process: it is read when a process starts."""
    if not DECODER_ENVIRONMENT.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **DECODER_ENVIRONMENT})


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter videos, fewer rounds")
    parser.add_argument("--cache", type=Path, default=Path("workspace/benchmarks"), help="where made videos are kept")
    parser.add_argument("--face-model", type=Path, help="a YuNet .onnx, for the cost with faces")
    options = parser.parse_args()
    if options.face_model and not options.face_model.is_file():
        parser.error(f"--face-model: no file {options.face_model}")
    return options


def make_corpora(cache: Path, quick: bool) -> dict[str, Path]:
    """Folders of videos by name; what is there already is kept."""
    sources = [Path(module.__file__ or "") for module in (drawn, unseen)] + [Path(__file__).parent / "video/truth.py"]
    drawing = b"".join(path.read_bytes() for path in sources) + source_digest().encode()
    digest = hashlib.sha256(drawing).hexdigest()[:12]
    names = ("gop250", "gop48", "unseen", "long")
    folders = {name: cache / digest / ("quick" if quick else "full") / name for name in names}
    clips, seconds = (12, 90.0) if quick else (48, 600.0)
    jobs = []
    for number in range(clips):
        name = f"{number:03}.mp4"
        jobs += [
            Job(folders["gop250"], name, drawn.clip, (number,), 250),
            Job(folders["gop48"], name, drawn.clip, (number + 1000,), 48),
            Job(folders["unseen"], name, unseen.clip, (number,), 250),
        ]
    missing = [job for job in jobs if not (job.folder / job.name).with_suffix(".json").exists()]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(make, missing), 1):
            print(f"\rmade {done} of {len(missing)} videos", end="\n" * (done == len(missing)), flush=True)
    make_long(folders, seconds)
    return folders


def make_long(folders: dict[str, Path], seconds: float) -> None:
    """A recording: the clips with long GOPs one after the other, again and again until it is long enough."""
    path, clips, length = folders["long"] / "long.mp4", [], 0.0
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    for truth in itertools.cycle(read(folders["gop250"])):
        clips.append(folders["gop250"] / truth.name)
        length += truth.frames / RATE
        if length >= seconds:
            break
    join(clips, path)


def make(job: Job) -> None:
    cv2.setNumThreads(1)
    job.folder.mkdir(parents=True, exist_ok=True)
    truth, images = job.film(job.name, *job.arguments)
    write(job.folder, truth, images, job.gop)


def our_ways(face_model: Path | None, spans: Sequence[Span] = (quality.WHOLE,)) -> dict[str, peers.Way]:
    ways = {"fast": speed.ours(FAST, spans), "full": speed.ours(FULL, spans)}
    if face_model:
        model = str(face_model.resolve())
        ways |= {f"{mode}_faces": speed.ours(Options(mode=mode, face_model=model), spans) for mode in ("fast", "full")}
    return ways


def clip_costs(folders: dict[str, Path], options: argparse.Namespace, figures: Figures) -> dict[str, list[float]]:
    """Ours and the peers' against decoding, clip by clip."""
    others = peers.ways()
    for name in [name for name, way in others.items() if way is None]:
        print(f"{name} cannot be run here (its package or one that it needs is missing): null")
    katna = others.pop("katna")
    ways = our_ways(options.face_model) | {name: way for name, way in others.items() if way}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for folder in (folders["gop250"], folders["gop48"]):
        paths = sorted(folder.glob("*.mp4"))
        for way in ways.values():
            way(paths[0])  # imports, models
        part, clip_seconds = speed.ratios(paths, ways, 1 if options.quick else 2, 3 if options.quick else 6)
        for name, values in part.items():
            found[name] += values
            figures[f"{name}_vs_decode_{folder.name}"] = statistics.median(values)
        figures[f"decode_ms_per_frame_{folder.name}"] = 1000 * clip_seconds / mean_frames(folder)
    for name in others.keys() | ways.keys():
        figures[f"{name}_vs_decode"] = statistics.median(found[name]) if name in found else None
    rivals = {"pyscenedetect": "pyscenedetect_adaptive"} | {
        name: name for name in ("thumbnail", "pyscenedetect_content", "opencv")
    }
    for mode, tail in (("fast", ""), ("full", "_full")):
        figures |= {f"vs_{name}{tail}": over(found, peer, mode) for name, peer in rivals.items()}
    figures["katna_vs_decode"] = figures["vs_katna"] = None
    if katna:  # tens of times as slow: two clips must do
        cost = speed.ratios(sorted(folders["gop250"].glob("*.mp4"))[:2], {"katna": katna}, 1, 2)[0]["katna"][0]
        figures |= {"katna_vs_decode": cost, "vs_katna": cost / float(figures["fast_vs_decode"] or 1)}
    minutes = MELD_CLIPS * MELD_SECONDS * RATE * float(figures["decode_ms_per_frame_gop250"] or 0) / 60_000
    figures |= {"meld_decode_cpu_minutes": minutes}
    figures |= {
        f"meld_{mode}_cpu_minutes": minutes * float(figures[f"{mode}_vs_decode"] or 0) for mode in ("fast", "full")
    }
    return found


def mean_frames(folder: Path) -> float:
    return statistics.fmean(truth.frames for truth in read(folder))


def over(found: dict[str, list[float]], peer: str, mode: str) -> float | None:
    """How many times as much as one of our modes a peer costs: the median over the blocks. Fast is the default."""
    if peer not in found:
        return None
    return statistics.median(theirs / own for theirs, own in zip(found[peer], found[mode], strict=True))


def long_costs(folder: Path, options: argparse.Namespace, figures: Figures) -> dict[str, list[float]]:
    """One pass for all lines of a recording; every third overlaps the one before."""
    path, rng = folder / "long.mp4", random.Random(5)
    seconds = peers.decode(path) / RATE
    starts = [at * 4 - (2 if at % 3 == 1 else 0) for at in range(int(seconds / 4))]
    spans = [(float(start), min(start + rng.uniform(2, 6), seconds)) for start in starts]
    ways = our_ways(None, spans)
    found, _ = speed.ratios([path], ways, 2 if options.quick else 3, 1)
    figures |= {f"long_{name}_vs_decode": statistics.median(values) for name, values in found.items()}
    return {f"long_{name}": values for name, values in found.items()}


def show_quality(folders: dict[str, Path], figures: Figures) -> None:
    """Tables of what is chosen and what is cut; the fast mode's figures, as that is the default."""
    choices, found = Table("drawn clips"), Table("cuts, %")
    rows: dict[str, dict[str, float]] = {}
    for name, options in (("fast", FAST), ("full", FULL), ("uniform, our count", replace(FAST, method="uniform"))):
        rows[name] = pooled(folders, lambda folder, truths, o=options: quality.ours(folder, truths, o))
    rows["uniform 4"] = pooled(folders, lambda _, truths: quality.uniform(truths))
    for name in rows:
        choices.add_column(name, justify="right")
    for figure in rows["fast"]:
        choices.add_row(figure, *(f"{row[figure]:.2f}" for row in rows.values()))
    for mode in ("fast", "full"):
        figures |= {f"{name}_full" if mode == "full" else name: value for name, value in rows[mode].items()}
    figures["uniform_frames"] = rows["uniform, our count"]["frames"]
    found.add_column("precision"), found.add_column("recall"), found.add_column("F1")
    corpora = {"": [folders["gop250"], folders["gop48"]], "unseen_": [folders["unseen"]]}
    for corpus, parts in corpora.items():
        for mode in ("fast", "full"):
            scores = quality.cuts([(folder, read(folder)) for folder in parts], mode == "fast")
            found.add_row(f"{corpus or 'drawn_'}{mode}", *(f"{scores[s]:.1f}" for s in ("precision", "recall", "f1")))
            figures |= {f"{corpus}cut_{name}" + "_full" * (mode == "full"): value for name, value in scores.items()}
    Console().print(choices)
    Console().print(found)


def pooled(folders: dict[str, Path], picks: Callable[[Path, list[Truth]], quality.Picks]) -> dict[str, float]:
    """Judged over both drawn corpora."""
    all_truths, all_picks = [], {}
    for folder in (folders["gop250"], folders["gop48"]):
        truths = read(folder)
        for name, frames in picks(folder, truths).items():
            all_picks[f"{folder.name}/{name}"] = frames
        all_truths += [replace(truth, name=f"{folder.name}/{truth.name}") for truth in truths]
    return quality.judged(all_truths, all_picks)


def show(figures: Figures, spreads: dict[str, list[float]]) -> None:
    table = Table("cost over decoding alone", "median", "middle half", "blocks")
    for name, values in spreads.items():
        quarters = statistics.quantiles(values, n=4) if len(values) > 1 else [values[0]] * 3
        table.add_row(
            name, f"{statistics.median(values):.2f}", f"{quarters[0]:.2f} to {quarters[2]:.2f}", str(len(values))
        )
    Console().print(table)
    rest = Table("figure", "value")
    for name, value in figures.items():
        if "_vs_decode" not in name:
            rest.add_row(name, "null" if value is None else f"{value:.2f}")
    Console().print(rest)


if __name__ == "__main__":
    main()
