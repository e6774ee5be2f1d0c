"""What the captions yet to be made will cost: how many, of how many pictures, in what time, and what memory.

Time comes from shards that the same model did in this workspace, whatever their prompt or frames, and from nothing
else: before the first of them it is not known. Its range is that of the rates of those shards, of ten or more without
the outer tenths, since they may be of other videos, and the machine may have had other work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast

from model import caption_models, machine
from storage import files, ledger
from storage.shards import Manifest, read_manifest
from tasks.captions import CaptionsSettings, memory_of, processes_of
from tasks.plan import Run, StagePlan
from tasks.stages import BY_NAME

LOOKED_AT = 200
"""Manifests that are read at most, so that a plan takes no longer where there are many."""

FEW = 1.5
"""Where one shard alone was timed, its rate is taken to be right within this factor."""


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds`` is the least, the likely and the most; None before a shard of this model was done.

    ``pictures`` is an estimate from keyframes that are done, or the most there can be (``at_most``). ``tokens`` is how
    many were written for a caption, on average, ``shards`` how many shards the averages are of.
    """

    captions: int
    pictures: int
    at_most: bool
    seconds: tuple[float, float, float] | None
    tokens: float
    shards: int


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
    done = list(islice(_done_by(run, settings), LOOKED_AT))
    rates = sorted(found["seconds"] / found["inputs"] for found in done)
    seconds = None
    if rates:
        outer = len(rates) // 10  # that of a first shard has the loading of the model in it
        kept = rates[outer : len(rates) - outer]
        likely = sum(kept) / len(kept)
        low, high = (kept[0], kept[-1]) if len(kept) > 1 else (likely / FEW, likely * FEW)
        seconds = (captions * low, captions * likely, captions * high)
    tokens = sum(found.get("totals", {}).get("n_tokens", 0) for found in done)
    shown = _pictures(run, settings, pending, lines)
    most = settings.max_frames * captions
    pictures = most if shown is None else min(round(shown * captions), most)
    written = sum(found["rows"] for found in done)
    return Cost(captions, pictures, shown is None, seconds, tokens / written if written else 0.0, len(done))


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
    shards = "1 shard" if cost.shards == 1 else f"{cost.shards} shards"
    spread = f" ({low} to {high})" if low != high else ""
    return f"{line}, about {likely}{spread} by {shards} that this model did here ({cost.tokens:.0f} tokens each)"


def memory(settings: CaptionsSettings) -> tuple[int, str] | None:
    """Bytes that a model of the table needs, all processes together, and of what; None for others and for servers."""
    model = caption_models.find(settings.model)
    if model is None or settings.server or not settings.enabled:
        return None
    processes = max(1, processes_of(settings, model.parameters))
    what = "GPU memory, in bfloat16" if machine.has_gpu() else "memory, in float32"
    return processes * memory_of(settings, model.parameters), what + (f", {processes} processes" * (processes > 1))


def _done_by(run: Run, settings: CaptionsSettings) -> Iterator[Manifest]:
    """Manifests of captions by the same model, under any key, those of this run's own key first."""
    own = run.key(BY_NAME["captions"])
    keys = {own: None}
    for record in reversed(ledger.runs(run.layout)):
        stage = record["stages"].get("captions", {})
        asked = stage.get("settings", {})
        if stage.get("key") and (asked.get("model"), asked.get("server")) == (settings.model, settings.server):
            keys[stage["key"]] = None
    for key in keys:
        files.refresh(run.layout, run.layout.folder("captions", key))
        for path in sorted(run.layout.folder("captions", key).glob("part-*.json")):
            found = read_manifest(path) or {}
            if found.get("rows") and found.get("inputs") and found.get("seconds"):
                yield found


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
