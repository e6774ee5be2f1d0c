"""From what a system said of a row to its Prediction, or to the row's reject."""

from __future__ import annotations

from math import isfinite

from model import emotions
from model.dialogue import Instruction, Prediction, Rejected, corpus_of
from model.errors import VideoError
from model.generation import Generated
from tasks.label_scoring import ScoredRow, gold_of

LONGEST = 2_000
"""Characters of an answer that are stored."""


def from_scores(one: ScoredRow, system: str, stage: str) -> Prediction | Rejected:
    """The likeliest label, with the probability of each; rejected where these are not finite."""
    if fault := _not_finite(one, system, stage):
        return fault
    best = one.labels[one.scored.best]
    scores = dict(zip(one.labels, one.scored.probabilities, strict=True))
    return _of(one, system, best, scores)


def from_constrained(one: ScoredRow, system: str, stage: str) -> Prediction | Rejected:
    """The label that greedy generation arrives at; without scores, since it weighs no label as a whole."""
    return _not_finite(one, system, stage) or _of(one, system, one.labels[one.scored.greedy], {})


def from_text(row: Instruction, made: Generated | VideoError, system: str, stage: str) -> Prediction | Rejected:
    """The label that an answer names, None where it names none; rejected where there is no answer.

    ``row`` must have a gold label.
    """
    if isinstance(made, VideoError):
        return Rejected(row.utterance_id, stage, made.reason, str(made))
    return Prediction(
        utterance_id=row.utterance_id,
        system=system,
        gold=gold_of(row) or "",
        predicted=emotions.parse(made.text, corpus_of(row.utterance_id)),
        scores={},
        raw=made.text[:LONGEST],
        seconds=made.seconds,
        n_prompt_tokens=made.n_prompt_tokens or None,
        n_tokens=made.n_tokens or None,
    )


def _of(one: ScoredRow, system: str, said: str, scores: dict[str, float]) -> Prediction:
    return Prediction(
        utterance_id=one.row.utterance_id,
        system=system,
        gold=one.labels[one.gold],
        predicted=said,
        scores=scores,
        raw=said,
        seconds=one.scored.seconds,
    )


def _not_finite(one: ScoredRow, system: str, stage: str) -> Rejected | None:
    if all(map(isfinite, one.scored.probabilities)):
        return None
    detail = f"the {system} model's scores are not finite; train it again with a lower finetune.learning_rate"
    return Rejected(one.row.utterance_id, stage, "no_score", detail)
