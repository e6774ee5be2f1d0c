"""The report beyond scores: what captions give away, whether neutral is said too often, the paper's numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from model.dialogue import Prediction
from tasks import paper_results
from tasks.bootstrap import Interval, interval, resample
from tasks.report_scores import Scores
from tasks.stage import Rows
from tasks.tally import dialogue_of

KINDS = ("names an emotion", "names none", "no caption")
NEUTRAL = "neutral"
PAPER_TABLE = "Table 3"
PAPER_ROWS = {"DialogueLLM": "The paper’s DialogueLLM", "LLaMA 2-7B": "The paper’s untuned LLaMA 2-7B"}
_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Lines by what their caption gives away. ``accuracy`` and its 95 % interval are by system, shares in 0..1."""

    name: str
    utterances: int
    dialogues: int
    neutral: float
    accuracy: Mapping[str, float]
    bounds: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Neutral:
    """How a system deals with neutral lines, as the view neutral_bias has it: shares in 0..1, None of no lines."""

    system: str
    title: str
    gold: float
    predicted: float
    recall: float | None
    missed: float | None
    of_mistakes: float | None


@dataclass(frozen=True, slots=True)
class Printed:
    """Scores that the paper prints for a corpus's test split, shares in 0..1."""

    title: str
    accuracy: float | None
    weighted_f1: float | None


def caption_kinds(rows: Rows, predictions: Sequence[Prediction]) -> list[Kind]:
    """The predictions' lines by kind of caption; empty where no line of them has one."""
    shown = {row.utterance_id for row in predictions}
    outright = {name: bool(words) for name, words in _emotion_words(rows) if name in shown}
    if not outright:
        return []
    kinds: dict[str, list[Prediction]] = {name: [] for name in KINDS}
    for row in predictions:
        named = outright.get(row.utterance_id)
        kinds[KINDS[2] if named is None else KINDS[0] if named else KINDS[1]].append(row)
    return [_kind(name, found) for name, found in kinds.items() if found]


def _emotion_words(rows: Rows) -> Iterable[tuple[str, Sequence[str]]]:
    """(utterance id, emotion words that its caption names outright); of a lake only these columns are read."""
    if columns := getattr(rows, "columns", None):
        return zip(*columns("captions", ["utterance_id", "emotion_words"]), strict=True)
    return [(row.utterance_id, row.emotion_words) for row in rows.get("captions", ())]


def _kind(name: str, found: Sequence[Prediction]) -> Kind:
    accuracy, bounds = {}, {}
    for system in dict.fromkeys(row.system for row in found):
        own = [row for row in found if row.system == system]
        accuracy[system] = sum(row.predicted == row.gold for row in own) / len(own)
        if ends := _accuracy_bounds(own):
            bounds[system] = ends
    lines = {row.utterance_id: row.gold for row in found}
    neutral = sum(gold == NEUTRAL for gold in lines.values()) / len(lines)
    return Kind(name, len(lines), len({*map(dialogue_of, lines)}), neutral, accuracy, bounds)


def _accuracy_bounds(found: Sequence[Prediction]) -> Interval | None:
    """The 95 % interval of the accuracy, of a bootstrap over dialogues."""
    import numpy as np

    place = {name: at for at, name in enumerate(dict.fromkeys(dialogue_of(row.utterance_id) for row in found))}
    counts = np.zeros((len(place), 2))
    for row in found:
        counts[place[dialogue_of(row.utterance_id)]] += (row.predicted == row.gold, 1)
    drawn = resample(counts, _RESAMPLES, 0)
    return interval(drawn[:, 0] / drawn[:, 1])


def neutral_bias(scores: Scores) -> list[Neutral]:
    """Every system's dealings with neutral, from its confusion counts; empty for a corpus without that label."""
    found = []
    for item in scores.systems():
        gold, said, counts = scores.confusion(item.system)
        total = sum(map(sum, counts))
        if NEUTRAL not in gold or not total or not sum(counts[gold.index(NEUTRAL)]):
            continue
        row = counts[gold.index(NEUTRAL)]
        called = sum(line[said.index(NEUTRAL)] for line in counts)
        hits = row[said.index(NEUTRAL)]
        mistakes = total - sum(line[said.index(name)] for name, line in zip(gold, counts, strict=True))
        found.append(
            Neutral(
                system=item.system,
                title=item.title,
                gold=sum(row) / total,
                predicted=called / total,
                recall=hits / sum(row),
                missed=_share(called - hits, total - sum(row)),
                of_mistakes=_share(called - hits, mistakes),
            )
        )
    return found


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def printed(scores: Scores) -> list[Printed]:
    """What the paper prints beside these scores; empty for other corpora and splits."""
    if scores.split != "test" or not scores.corpus or not scores.systems():
        return []
    found = []
    for row, title in PAPER_ROWS.items():
        accuracy, f1 = (paper_results.value(PAPER_TABLE, row, scores.corpus, name) for name in paper_results.METRICS)
        if accuracy is not None or f1 is not None:
            found.append(Printed(title, accuracy, f1))
    return found
