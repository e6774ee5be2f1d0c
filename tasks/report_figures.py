"""The report's figures and the numbers behind each, for readers who cannot see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from model.dialogue import Prediction, TrainingStep
from tasks import charts
from tasks.confidence import Bin, reliability
from tasks.report_scores import TITLES, ClassScores, Scores

if TYPE_CHECKING:
    from markupsafe import Markup

_BASELINE = "tfidf_lr"


@dataclass(frozen=True, slots=True)
class Classes:
    """F1 a label: the figure, the subject's scores, and the baseline's F1 by label (empty without one)."""

    svg: Markup
    own: list[ClassScores]
    baseline: dict[str, float]


@dataclass(frozen=True, slots=True)
class Confusion:
    """The figure and its ``counts[gold][predicted]``."""

    svg: Markup
    gold: list[str]
    predicted: list[str]
    counts: list[list[int]]


@dataclass(frozen=True, slots=True)
class Confidence:
    """The figure, its bins, and the subject's scores by name (``ece``, ``brier``, ``nll`` where they are).

    ``bounds`` holds each one's 95 % interval, where it has one."""

    svg: Markup
    bins: list[Bin]
    scores: Mapping[str, float]
    bounds: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Training:
    """The figure, the last step, and the step with the lowest dev loss (None where dev was never scored)."""

    svg: Markup
    last: TrainingStep
    best: TrainingStep | None
    tokens: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Each figure of a corpus, None where there is nothing to draw."""

    classes: Classes | None
    confusion: Confusion | None
    confidence: Confidence | None


def figures(scores: Scores, predictions: Sequence[Prediction] = ()) -> Figures:
    """The figures of a corpus's scores, and of its subject's ``predictions``."""
    return Figures(_classes(scores), _confusion(scores), _confidence(scores, predictions))


def _classes(scores: Scores) -> Classes | None:
    from markupsafe import Markup

    subject = scores.subject()
    own = scores.classes(subject.system) if subject else []
    if not subject or not own:
        return None
    baseline = {item.label: item.f1 for item in scores.classes(_BASELINE)}
    series = {subject.title: [item.f1 for item in own]}
    if baseline:
        series[TITLES[_BASELINE]] = [baseline.get(item.label, 0.0) for item in own]
    alt = (
        f"F1 of each of {len(own)} labels{_of(scores)} as bars: {' and '.join(series)}; "
        "the numbers are in the table that follows"
    )
    drawn = charts.class_f1([item.label for item in own], series, [item.support for item in own], alt)
    return Classes(Markup(drawn), own, baseline)


def _confusion(scores: Scores) -> Confusion | None:
    subject = scores.subject()
    gold, predicted, counts = scores.confusion(subject.system) if subject else ([], [], [])
    return confusion_figure(gold, predicted, counts, _of(scores)) if counts else None


def confusion_figure(gold: list[str], predicted: list[str], counts: list[list[int]], of: str = "") -> Confusion:
    """The figure of ``counts[gold][predicted]``; ``of`` says in its words what it is of."""
    from markupsafe import Markup

    hits = sum(line[place] for place, line in enumerate(counts))
    alt = (
        f"Confusion matrix{of}, gold labels down and predicted ones across: {hits} of {sum(map(sum, counts))} "
        "lines on its diagonal; the numbers are in the table that follows"
    )
    return Confusion(Markup(charts.confusion(counts, gold, predicted, alt)), gold, predicted, counts)


def _confidence(scores: Scores, predictions: Sequence[Prediction]) -> Confidence | None:
    from markupsafe import Markup

    subject = scores.subject()
    bins = reliability(predictions)
    if not subject or not bins:
        return None
    known = scores.overall(subject.system)
    alt = (
        f"Share of lines that are right by the model's confidence{_of(scores)}, {len(bins)} bars; "
        "the numbers are in the table that follows"
    )
    bounds = {name: between for name, between in subject.bounds.items() if name in known}
    return Confidence(Markup(charts.reliability(bins, alt)), bins, known, bounds)


def _of(scores: Scores) -> str:
    return f" of {scores.corpus}" if scores.corpus else ""


def training(steps: Sequence[TrainingStep]) -> Training | None:
    """The figure of a run's training log."""
    from markupsafe import Markup

    if not steps:
        return None
    scored = [
        (step.dev_loss, step.step, step) for step in steps if step.dev_loss is not None and isfinite(step.dev_loss)
    ]
    best = min(scored, key=lambda item: item[:2])[2] if scored else None
    alt = f"Training loss over {steps[-1].step} steps, from {steps[0].loss:.2f} to {steps[-1].loss:.2f}"
    if best:
        alt += f"; lowest dev loss {best.dev_loss:.2f} at step {best.step}"
    if f1 := [(step.dev_weighted_f1, -step.step) for step in steps if step.dev_weighted_f1 is not None]:
        alt += f"; highest dev weighted F1 {max(f1)[0]:.2f} at step {-max(f1)[1]}"
    return Training(Markup(charts.training_curve(steps, alt)), steps[-1], best, sum(step.tokens for step in steps))
