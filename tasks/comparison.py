"""What a comparison's page shows beside the differences: each side's intervals, label by label, what flipped, costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model.dialogue import Caption, Prediction
from model.emotions import labels
from tasks.bootstrap import Interval, interval, resample, resampled_scores
from tasks.compare import Pair
from tasks.plan import Run
from tasks.publish import facts
from tasks.report import ORDER, written
from tasks.report_examples import Example, choose, examples, few, likeliest
from tasks.report_words import settings_of
from tasks.run import ShardRows
from tasks.stages import BY_NAME
from tasks.systems import Said
from tasks.tally import OVERALL, dialogue_of, scores, tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE = "–"


@dataclass(frozen=True, slots=True)
class LabelDifference:
    """F1 of one label by both sides (0 to 1); ``difference`` is first less second, ``bounds`` its 95 % interval."""

    label: str
    support: int
    first: float
    second: float
    difference: float
    bounds: Interval | None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Both sides on the same lines. ``bounds[side]`` holds the 95 % interval of each overall score that has one;
    ``counts[side, gold, said]`` are lines, the last ``said`` no answer."""

    bounds: tuple[dict[str, Interval], dict[str, Interval]]
    labels: list[LabelDifference]
    counts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flip:
    """A line that one side alone has right: ``example`` is what the first saw and said, ``other`` what the second said.

    ``other_caption`` is the second's description of it where that is another one.
    """

    example: Example
    other: Prediction
    other_top: list[tuple[str, float]]
    other_caption: str | None


@dataclass(frozen=True, slots=True)
class Cost:
    """A stage of both runs: keys (None: off), and what was done under each. ``shared``: it is the same result."""

    stage: str
    keys: tuple[str | None, str | None]
    shared: bool
    rows: tuple[int | None, int | None]
    seconds: tuple[float | None, float | None]
    tokens: tuple[int | None, int | None]


def side_by_side(pair: Pair, resamples: int, seed: int) -> SideBySide:
    """Both sides meet the same draws of dialogues, as in ``compare.differences``."""
    import numpy as np

    dialogues = list(dict.fromkeys(map(dialogue_of, pair.first.answers)))
    sides = [tally(pair.corpus, side.gold, side.answers, dialogues) for side in (pair.first, pair.second)]
    both = np.stack(sides, axis=1)
    counts = both.sum(0)
    f1, drawn = scores(counts)["f1"], resampled_scores(resample(both, resamples, seed))
    first, second = (
        {name: found for name in OVERALL if (found := interval(drawn[name][:, side]))} for side in range(2)
    )
    by_label = [
        LabelDifference(
            label=label,
            support=int(counts[0, place].sum()),
            first=float(f1[0, place]),
            second=float(f1[1, place]),
            difference=float(f1[0, place] - f1[1, place]),
            bounds=interval(drawn["f1"][:, 0, place] - drawn["f1"][:, 1, place]),
        )
        for place, label in enumerate(labels(pair.corpus))
        if counts[0, place].sum()
    ]
    return SideBySide((first, second), by_label, counts)


def flipped(pair: Pair, count: int) -> list[Flip]:
    """At most ``count`` lines that one side alone has right, half of them the first's where there are so many."""
    wrong = [name for name, gold in pair.first.gold.items() if _hit(pair.first, name) != _hit(pair.second, name)]
    ids = [row.utterance_id for row in choose([_bare(pair.first, name) for name in wrong], count)]
    ours, theirs = _answers(pair.first, pair.split, ids), _answers(pair.second, pair.split, ids)
    rows, others = (ShardRows(side.run, BY_NAME["report"], 0) for side in (pair.first, pair.second))
    same = pair.first.run.keys["captions"] == pair.second.run.keys["captions"]
    captions: dict[str, Caption] = {} if same else {row.utterance_id: row for row in few(others, "captions", ids)}
    return [
        Flip(one, theirs[name], likeliest(theirs[name]), captions[name].text if name in captions else None)
        for one in examples(rows, ours.values(), count)
        if (name := one.prediction.utterance_id)
    ]


def _hit(side: Said, name: str) -> bool:
    return side.answers[name] == side.gold[name]


def _bare(side: Said, name: str) -> Prediction:
    """What a side said as a row without probabilities; a floor has no other."""
    said = side.answers[name]
    return Prediction(name, side.system, side.gold[name], said, {}, said or "", 0.0)


def _answers(side: Said, split: str, ids: Sequence[str]) -> Mapping[str, Prediction]:
    """Some answers with their probabilities, where the run keeps them."""
    table = BY_NAME["evaluate" if split == "test" else "calibrate"].writes
    stored = ShardRows(side.run, BY_NAME["score"], 0).select(table, ids)
    known = {row.utterance_id: row for row in stored if row.system == side.system}
    return {name: known.get(name) or _bare(side, name) for name in ids}


def settings(first: Run, second: Run) -> list[tuple[str, str, str, str]]:
    """What the runs set differently, as (stage, setting, first's, second's); files and program's versions too."""
    found = []
    for stage in ORDER:
        if bool(first.keys[stage]) != bool(second.keys[stage]):
            on, off = (str(bool(run.keys[stage])).lower() for run in (first, second))
            found.append((stage, "enabled", on, off))
            continue
        ours, theirs = (_decides(run, stage) for run in (first, second))
        names = sorted(name for name in {**ours, **theirs} if ours.get(name, NONE) != theirs.get(name, NONE))
        found += [(stage, name, ours.get(name, NONE), theirs.get(name, NONE)) for name in names]
    return found


def _decides(run: Run, stage: str) -> dict[str, str]:
    """All that decides a stage's result by itself, as text; of one that is off nothing."""
    if not run.keys[stage]:
        return {}
    own: Mapping[str, Any] = run.record["stages"][stage].get("own") or {}
    found = {f"{name} (files or weights)": written(value) for name, value in (own.get("identity") or {}).items()}
    found |= {"version of the program": str(own["version"])} if "version" in own else {}
    return {**found, **{name: written(value) for name, value in settings_of(run.record, stage).items()}}


def costs(first: Run, second: Run) -> list[Cost]:
    """Both runs stage by stage, in the pipeline's order."""
    known: dict[str, Any] = {}
    ours, theirs = ({row["stage"]: row for row in facts(run, known).rows["stages"]} for run in (first, second))
    found = []
    for stage in ORDER:
        keys = (first.keys[stage], second.keys[stage])
        if not any(keys):
            continue
        rows = (ours.get(stage, {}), theirs.get(stage, {}))
        counts, seconds, tokens = (
            (rows[0].get(name), rows[1].get(name)) for name in ("row_count", "seconds", "tokens")
        )
        found.append(Cost(stage, keys, keys[0] == keys[1], counts, seconds, tokens))
    return found
