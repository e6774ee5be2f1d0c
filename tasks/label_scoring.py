"""Rows of instructions scored over the labels of their own corpora; for the dev rows and for the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from model import emotions, predictor
from model.dialogue import Instruction
from model.predictor import Normalise, Scored


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """``gold`` is the index into ``labels`` of the label that the row's answer names."""

    row: Instruction
    corpus: str
    labels: tuple[str, ...]
    gold: int
    scored: Scored


def corpus_of(row: Instruction) -> str:
    return row.utterance_id.split("/")[0]


def gold_of(row: Instruction) -> str | None:
    """The label of the row's corpus that its answer names, None if it names none."""
    return emotions.parse(row.answer, corpus_of(row))


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
    """``rows`` in their order, each with the scores of its corpus's labels. Every answer must name a label."""
    found: dict[int, ScoredRow] = {}
    for corpus in dict.fromkeys(map(corpus_of, rows)):
        places = [place for place, row in enumerate(rows) if corpus_of(row) == corpus]
        labels = emotions.labels(corpus)
        scores = predictor.score(
            model,
            tokenizer,
            [rows[place].prompt for place in places],
            [emotions.answer(corpus, label) for label in labels],
            share=share,
            normalise=normalise,
            batch_size=batch_size,
            progress=progress,
        )
        for place, scored in zip(places, scores, strict=True):
            gold = labels.index(gold_of(rows[place]) or "")
            found[place] = ScoredRow(rows[place], corpus, labels, gold, scored)
    return [found[place] for place in range(len(rows))]
