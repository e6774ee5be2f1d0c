"""The report's scores: metric rows as tables a person reads, each with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from model.dialogue import Metric
from model.emotions import UNIFIED
from tasks.biases import SUFFIX as BIASES
from tasks.corrections import SUFFIXES, base_of
from tasks.prior import SUFFIX as PRIOR

TITLES = {
    "tuned": "Tuned (LoRA)",
    f"tuned{PRIOR}": "Tuned, bias taken back",
    f"tuned{BIASES}": "Tuned, a bias for each label",
    "untuned": "Untuned",
    f"untuned{PRIOR}": "Untuned, bias taken back",
    f"untuned{BIASES}": "Untuned, a bias for each label",
    "tfidf_lr": "TF-IDF + logistic regression",
    "majority": "Commonest label",
}
"""How systems are called, in the order in which they are shown; a system of another name is shown last."""

NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class SystemScores:
    """One system's scores over all labels: shares in 0..1, None where unknown; ``n`` lines were scored.

    ``bounds`` holds each score's 95 % interval by its name, where it has one.
    """

    system: str
    title: str
    n: int
    dialogues: int
    accuracy: float | None
    weighted_f1: float | None
    macro_f1: float | None
    unparsed: int | None
    bounds: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ClassScores:
    """One label's scores (0 to 1) by one system; ``support`` counts its gold lines."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What taking back the bias to common labels does to each split's scores by name, before and after.

    By ``tau``, or by ``share`` of the ``biases`` that were fitted for each label, which are in nats."""

    title: str
    tau: float | None
    share: float | None
    biases: Mapping[str, float]
    splits: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]]


@dataclass(frozen=True, slots=True)
class Confused:
    """A pair of labels taken one for the other: ``count`` of the ``total`` gold lines of ``gold``."""

    gold: str
    predicted: str
    count: int
    total: int


class Scores:
    """The metrics of one corpus (None: all) and split: test where it was scored, else dev, else whichever there is."""

    def __init__(self, metrics: Sequence[Metric], corpus: str | None) -> None:
        metrics = [row for row in metrics if corpus in (None, row.corpus)]
        splits = sorted({row.split for row in metrics}, key=lambda split: ({"test": 0, "dev": 1}.get(split, 2), split))
        self.split = splits[0] if splits else "test"
        self._all = [row for row in metrics if isfinite(row.value)]  # NaN and infinity are no scores
        self._rows = [row for row in self._all if row.split == self.split]
        self.corpus = corpus

    def systems(self) -> list[SystemScores]:
        """Every system's scores, in the order of ``TITLES``."""
        names = {row.system for row in self._rows}
        return [self._overall(name) for name in sorted(names, key=lambda name: (_place(TITLES, name), name))]

    def subject(self) -> SystemScores | None:
        """The system that the report is about: the tuned model, the untuned one where none was tuned, or a server's."""
        found = {item.system: item for item in self.systems()}
        others = [item for name, item in found.items() if name not in TITLES and not name.endswith(SUFFIXES)]
        return found.get("tuned") or found.get("untuned") or next(iter(others), None)

    def corrections(self) -> list[Correction]:
        """Those that were fitted, each on dev, where its system was scored without it too."""
        found = []
        for row in self._all:
            if row.metric in ("tau", "bias_share"):
                before = base_of(row.system)
                splits = {
                    split: (one, other)
                    for split in ("dev", "test")
                    if (one := self._of(split, before)) and (other := self._of(split, row.system))
                }
                tau, share = (row.value, None) if row.metric == "tau" else (None, row.value)
                of = {one.label: one.value for one in self._all if (one.system, one.metric) == (row.system, "bias")}
                biases = {label: of[label] for label in self._ordered({label for label in of if label})}
                found.append(Correction(TITLES.get(before, before), tau, share, biases, splits))
        return found

    def confused(self, system: str, most: int) -> list[Confused]:
        """The pairs of labels that a system takes one for the other most often."""
        gold, said, counts = self.confusion(system)
        pairs = [
            Confused(label, other, count, sum(line))
            for label, line in zip(gold, counts, strict=True)
            for other, count in zip(said, line, strict=True)
            if count and other != label
        ]
        return sorted(pairs, key=lambda pair: (-pair.count, pair.gold, pair.predicted))[:most]

    def overall(self, system: str) -> dict[str, float]:
        """A system's scores over all labels by name."""
        return self._of(self.split, system)

    def _of(self, split: str, system: str) -> dict[str, float]:
        rows = [row for row in self._all if (row.split, row.system, row.label) == (split, system, None)]
        return {row.metric: row.value for row in rows}

    def classes(self, system: str) -> list[ClassScores]:
        """A system's scores for every label that occurs as gold."""
        found: dict[str, dict[str, float]] = {}
        for row in self._rows:
            if row.system == system and row.label is not None and row.metric != "confusion":
                found.setdefault(row.label, {})[row.metric] = row.value
        return [
            ClassScores(label, of.get("precision", 0.0), of.get("recall", 0.0), of["f1"], support)
            for label in self._ordered(set(found))
            if "f1" in (of := found[label]) and (support := round(of.get("support", 0)))
        ]

    def confusion(self, system: str) -> tuple[list[str], list[str], list[list[int]]]:
        """(gold labels, predicted ones, counts[gold][predicted]); answers that did not parse are the last column."""
        cells = {
            (row.label, row.predicted): round(row.value)
            for row in self._rows
            if row.system == system and row.metric == "confusion" and row.label is not None and row.value > 0
        }
        labels = self._ordered({name for pair in cells for name in pair if name is not None})
        columns: list[str | None] = [*labels, *([None] if any(side is None for _, side in cells) else [])]
        counts = [[cells.get((gold, side), 0) for side in columns] for gold in labels]
        return labels, [side or NO_ANSWER for side in columns], counts

    def _overall(self, system: str) -> SystemScores:
        rows = [row for row in self._rows if row.system == system and row.label is None]
        found = {row.metric: row.value for row in rows}
        unparsed = found.get("unparsed")
        return SystemScores(
            system=system,
            title=TITLES.get(system, system),
            n=round(found.get("support", sum(item.support for item in self.classes(system)))),
            dialogues=round(found.get("dialogues", 0)),
            accuracy=found.get("accuracy"),
            weighted_f1=found.get("weighted_f1"),
            macro_f1=found.get("macro_f1"),
            unparsed=None if unparsed is None else round(unparsed),
            bounds={row.metric: (row.low, row.high) for row in rows if row.low is not None and row.high is not None},
        )

    def _ordered(self, labels: set[str]) -> list[str]:
        known = UNIFIED.get(self.corpus or "", {})
        return sorted(labels, key=lambda label: (_place(known, label), label))


def _place(names: dict[str, str], name: str) -> int:
    return list(names).index(name) if name in names else len(names)
