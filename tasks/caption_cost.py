"""What the captions yet to be made will cost: how many, of how many pictures, in what time, and what memory.

Time comes from shards that the same model did in this workspace, whatever their prompt or frames. Its range is that of
the rates of those shards, of ten or more without the outer tenths, since they may be of other videos, and the machine
may have had other work; what detectors take that did not look then is added. Before the first of them it is reckoned
(tasks/caption_estimate.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from model import caption_models, machine
from storage import files, ledger
from storage.shards import Manifest, read_manifest
from tasks.caption_detections import Asked
from tasks.caption_estimate import Range, reckoned
from tasks.captions import CaptionsSettings, memory_of, processes_of
from tasks.plan import Run, StagePlan
from tasks.stages import BY_NAME

LOOKED_AT = 200
"""Manifests that are read at most, so that a plan takes no longer where there are many."""

FEW = 1.5
"""Where one shard alone was timed, its rate is taken to be right within this factor."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds`` are None where nothing is known; ``reckoned`` where no shard of this model was done.

    ``pictures`` is an estimate from keyframes that are done, or the most there can be (``at_most``). ``tokens`` is how
    many were written for a caption, on average, ``shards`` how many shards the averages are of. ``gpu``: the seconds
    are reckoned for this machine's GPU.
    """

    captions: int
    pictures: int
    at_most: bool
    seconds: Range | None
    tokens: float
    shards: int
    reckoned: bool = False
    gpu: bool = False


@dataclass(frozen=True, slots=True)
class _Timed:
    """A shard that is done, and the seconds a picture of detectors that did not look there and are to look now."""

    manifest: Manifest
    more: float


def cost(run: Run, plan: StagePlan) -> Cost | None:
    """Of the pending shards of captions in ``plan``; None where there are none, or not cut yet, or captions are off."""
    settings = run.settings["captions"]
    if plan.stage.name != "captions" or not isinstance(settings, CaptionsSettings) or plan.total is None:
        return None
    lines = {item["shard"]: item["rows"] for item in run.shards() or []}
    pending = [item.shard for item in plan.pending]
    captions = sum(lines[shard] for shard in pending)
    if not captions:
        return None
    shown = _pictures(run, settings, pending, lines)
    most = settings.max_frames * captions
    pictures = most if shown is None else min(round(shown * captions), most)
    done = list(islice(_done_by(run, settings), LOOKED_AT))
    if not done:
        seconds, gpu = reckoned(settings, captions, pictures)
        return Cost(captions, pictures, shown is None, seconds, 0.0, 0, reckoned=True, gpu=gpu)
    each = pictures / captions
    low, likely, high = _rates([one.manifest["seconds"] / one.manifest["inputs"] + each * one.more for one in done])
    seconds = captions * low, captions * likely, captions * high
    tokens = sum(one.manifest.get("totals", {}).get("n_tokens", 0) for one in done)
    written = sum(one.manifest["rows"] for one in done)
    return Cost(captions, pictures, shown is None, seconds, tokens / written if written else 0.0, len(done))


def _rates(rates: Sequence[float]) -> Range:
    """Of shards, in seconds a caption."""
    ordered = sorted(rates)
    outer = len(ordered) // 10  # that of a first shard has the loading of the model in it
    kept = ordered[outer : len(ordered) - outer]
    likely = sum(kept) / len(kept)
    return (kept[0], likely, kept[-1]) if len(kept) > 1 else (likely / FEW, likely, likely * FEW)


def line(run: Run, plan: StagePlan) -> str | None:
    """What there is to say of a stage's pending work in one line; None where it is not captions, or all is done."""
    found, settings = cost(run, plan), cast("CaptionsSettings", run.settings["captions"])
    if plan.stage.name == "captions" and plan.total is None and settings.enabled:
        return (
            "captions: how many is not known before ingest has cut the corpus (run … --until ingest, then plan again)"
        )
    if found is None:
        return None
    needed = memory(settings)
    return told(found) + (f"; about {needed[0] / 1e9:.1f} GB of {needed[1]}" if needed else "")


def told(cost: Cost) -> str:
    """Captions, pictures and time in one line."""
    pictures = f"{'at most' if cost.at_most else 'about'} {cost.pictures:,} pictures"
    line = f"captions: {cost.captions:,} to do, {pictures}"
    if cost.seconds is None:
        return f"{line}; how long they take is not known until the first shard is done by this model"
    low, likely, high = map(_duration, cost.seconds)
    spread = f" ({low} to {high})" if low != high else ""
    if cost.reckoned:
        return f"{line}, about {likely}{' of the GPU' * cost.gpu}{spread}, reckoned: this model was not timed here yet"
    shards = "1 shard" if cost.shards == 1 else f"{cost.shards} shards"
    return f"{line}, about {likely}{spread} by {shards} that this model did here ({cost.tokens:.0f} tokens each)"


def memory(settings: CaptionsSettings) -> tuple[int, str] | None:
    """Bytes that a model of the table needs, all processes together, and of what; None for others and for servers."""
    model = caption_models.find(settings.model)
    if model is None or settings.server or not settings.enabled:
        return None
    processes = max(1, processes_of(settings, model.parameters))
    what = "GPU memory, in bfloat16" if machine.has_gpu() else "memory, in float32"
    return processes * memory_of(settings, model.parameters), what + (f", {processes} processes" * (processes > 1))


def _done_by(run: Run, settings: CaptionsSettings) -> Iterator[_Timed]:
    """Captions by the same model, under any key, those of this run's own key first."""
    asked = settings.detectors().seconds()
    keys = {run.key(BY_NAME["captions"]): 0.0}
    for record in reversed(ledger.runs(run.layout)):
        stage = record["stages"].get("captions", {})
        other = stage.get("settings", {})
        if stage.get("key") and (other.get("model"), other.get("server")) == (settings.model, settings.server):
            looked = _detectors(other).seconds()
            keys.setdefault(stage["key"], sum(each for name, each in asked.items() if name not in looked))
    for key, more in keys.items():
        files.refresh(run.layout, run.layout.folder("captions", key))
        for path in sorted(run.layout.folder("captions", key).glob("part-*.json")):
            found = read_manifest(path) or {}
            if found.get("rows") and found.get("inputs") and found.get("seconds"):
                yield _Timed(found, more)


def _detectors(settings: Mapping[str, Any]) -> Asked:
    """As they stand in a run's record, which may be older than a detector."""
    return Asked(settings.get("people", False), settings.get("expressions", "off"), settings.get("objects", False))


def _pictures(run: Run, settings: CaptionsSettings, shards: Sequence[int], lines: dict[int, int]) -> float | None:
    """Pictures for a line, from keyframes that are done; None where none is."""
    key = run.keys["keyframes"]
    if key is None:
        return None
    manifests = ((shard, read_manifest(run.layout.manifest("keyframes", key, shard))) for shard in shards[:LOOKED_AT])
    found = [(min(manifest["rows"], settings.max_frames * lines[n]), lines[n]) for n, manifest in manifests if manifest]
    return sum(frames for frames, _ in found) / sum(number for _, number in found) if found else None


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
