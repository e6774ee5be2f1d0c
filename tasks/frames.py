"""frames: the keyframes of a few utterances of a run, with why each was chosen or why there are none."""

from __future__ import annotations

import difflib
import random
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from model.dialogue import SPLITS, Caption, FoundObject, FoundPerson, Keyframe, Rejected, Utterance
from model.errors import SettingsError, WorkspaceError
from storage import ledger
from storage.shards import read_table
from storage.tables import from_arrow
from tasks.plan import Run
from tasks.stages import BY_NAME

SAMPLED = ("train", "dev")
"""The test split is shown only where one of its lines is named: settings are not chosen by looking at it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An utterance and its keyframes in order of time; ``reason`` says why there are none.

    ``people`` and ``objects`` are what detectors found for its caption; empty where that is not made, or nobody looked.
    """

    utterance: Utterance
    frames: list[Keyframe]
    reason: str = ""
    people: tuple[FoundPerson, ...] = ()
    objects: tuple[FoundObject, ...] = ()


def find(run: Run, utterance_ids: Sequence[str]) -> list[Shown]:
    """The named utterances in their order, each once.

    Raises SettingsError for an id that the run does not have and where keyframes are off, WorkspaceError where the
    keyframes are not made yet, or damaged.
    """
    wanted = list(dict.fromkeys(utterance_ids))
    known: dict[str, tuple[int, Utterance]] = {}
    splits = {split for name in wanted for split in name.split("/")[1:2]}
    for shard in _shards(run, splits):
        known |= {row.utterance_id: (shard, row) for row in _rows(run, "utterances", "ingest", shard, wanted)}
    for name in wanted:
        if name not in known:
            raise SettingsError(f"{run.run_id} has no utterance {name!r}{_nearest(run, name)}")
    by_shard: dict[int, list[str]] = {}
    for name in wanted:
        by_shard.setdefault(known[name][0], []).append(name)
    frames: dict[str, list[Keyframe]] = {}
    reasons: dict[str, str] = {}
    captions: dict[str, Caption] = {}
    for shard, names in by_shard.items():
        _check(run, shard, names[0])
        for frame in _rows(run, "keyframes", "keyframes", shard, names):
            frames.setdefault(frame.utterance_id, []).append(frame)
        rejected: list[Rejected] = _rows(run, "rejects", "keyframes", shard, names)
        reasons |= {row.utterance_id: f"{row.reason}: {row.detail}" for row in rejected}
        if _state(run, "captions", shard) == "done":
            captions |= {row.utterance_id: row for row in _rows(run, "captions", "captions", shard, names)}
    return [_shown(known[name][1], frames.get(name, ()), reasons.get(name, ""), captions.get(name)) for name in wanted]


def _shown(line: Utterance, frames: Iterable[Keyframe], reason: str, caption: Caption | None) -> Shown:
    ordered = sorted(frames, key=lambda frame: frame.rank)
    if caption is None:
        return Shown(line, ordered, reason)
    return Shown(line, ordered, reason, caption.people or (), caption.objects or ())


def sample(run: Run, count: int, seed: int) -> list[str]:
    """``count`` ids of train and dev drawn by ``seed``, in the order of the corpus; all where there are fewer."""
    ids = [name for shard in _shards(run, SAMPLED) for name in _ids(run, shard)]
    if not ids:
        raise SettingsError(f"{run.run_id} has no lines of train or dev to draw from: name utterances of test instead")
    drawn = set(random.Random(seed).sample(sorted(ids), min(count, len(ids))))
    return [name for name in ids if name in drawn]


def _shards(run: Run, splits: Collection[str] = SPLITS) -> list[int]:
    if run.keys["keyframes"] is None:
        raise SettingsError(
            f"{run.run_id} has no keyframes: they are off (keyframes.enabled, or a corpus without videos)"
        )
    cut = run.shards()
    if cut is None:
        how = run.typed(f"rerun {run.run_id} --failed")
        raise WorkspaceError(f"{run.run_id}: the corpus has not been read yet: `{how}` goes on")
    return [item["shard"] for item in cut if item["split"] in splits]


def _check(run: Run, shard: int, name: str) -> None:
    state = _state(run, "keyframes", shard)
    if state != "done":
        how = run.typed(f"rerun {run.run_id} --failed")
        raise WorkspaceError(
            f"{run.run_id}: the keyframes of {name} are not there (shard {shard}: {state}): "
            f"`{how}` makes what is missing"
        )


def _state(run: Run, stage: str, shard: int) -> str:
    """ "off" where the run has no such stage."""
    if run.keys[stage] is None:
        return "off"
    return ledger.shard_state(run.layout, BY_NAME[stage].writes, run.key(BY_NAME[stage]), shard)[0]


def _rows(run: Run, table: str, stage: str, shard: int, utterance_ids: Sequence[str]) -> list[Any]:
    data = read_table(run.layout, table, run.key(BY_NAME[stage]), shard, utterance_ids)
    return from_arrow(table, data) if data.num_rows else []


def _ids(run: Run, shard: int) -> list[str]:
    data = read_table(run.layout, "utterances", run.key(BY_NAME["ingest"]), shard)
    return list(data.column("utterance_id").to_pylist())


def _nearest(run: Run, name: str) -> str:
    """The ids that come closest, as the end of a sentence."""
    ids = [known for shard in _shards(run) for known in _ids(run, shard)]
    near = difflib.get_close_matches(name, ids, n=3, cutoff=0.6)
    return f": did you mean {', '.join(near)}?" if near else f": its ids look like {', '.join(ids[:2])}"
