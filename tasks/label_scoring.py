"""Rows of instructions scored over the labels of their own corpora; for the dev rows and for the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model import emotions, predictor
from model.dialogue import Instruction, corpus_of
from model.emotions import LabelWords
from model.predictor import Normalise, Scored


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """``gold`` is the index into ``labels`` of the label that the row's answer names."""

    row: Instruction
    corpus: str
    labels: tuple[str, ...]
    gold: int
    scored: Scored


def gold_of(row: Instruction) -> str | None:
    """The label of the row's corpus that its answer names, None if it names none."""
    return emotions.parse(row.answer, corpus_of(row.utterance_id))


def words_of(row: Instruction) -> LabelWords:
    """The words in which the row's prompt lists the labels, and which its answer is one of: its variant's end."""
    return "unified" if row.variant.endswith("-unified") else "own"


def score_rows(
    model: Any,
    tokenizer: Any,
    rows: Sequence[Instruction],
    *,
    share: bool,
    normalise: Normalise = "sum",
    batch_size: int = 16,
    progress: Callable[[int], None] | None = None,
) -> list[ScoredRow]:
    """``rows`` in their order, each with the scores of its corpus's labels, in the words that its prompt lists.

    Every answer must name a label.
    """
    found: dict[int, ScoredRow] = {}
    kinds = [(corpus_of(row.utterance_id), words_of(row)) for row in rows]
    for corpus, words in dict.fromkeys(kinds):
        places = [place for place, kind in enumerate(kinds) if kind == (corpus, words)]
        labels = emotions.labels(corpus)
        scores = predictor.score(
            model,
            tokenizer,
            [rows[place].prompt for place in places],
            emotions.answers(corpus, words),
            share=share,
            normalise=normalise,
            batch_size=batch_size,
            progress=progress,
        )
        for place, scored in zip(places, scores, strict=True):
            gold = labels.index(gold_of(rows[place]) or "")
            found[place] = ScoredRow(rows[place], corpus, labels, gold, scored)
    return [found[place] for place in range(len(rows))]
