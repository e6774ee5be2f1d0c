"""How much of the labels the captions alone give away: a linear classifier that reads nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model.dialogue import Caption, Utterance
from tasks.floors import majority, tfidf_lr


def captions_alone(
    train: Sequence[Utterance], lines: Sequence[Utterance], captions: Mapping[str, Caption]
) -> dict[str, str]:
    """Labels of ``lines`` by TF-IDF and logistic regression on captions (by utterance id), corpus by corpus.

    It learns from the train lines that have a caption; of a line without one it reads nothing. Lines of a corpus
    without a captioned train line are left out. Deterministic.
    """
    found: dict[str, str] = {}
    for corpus in dict.fromkeys(row.corpus for row in lines):
        known = [row for row in train if row.corpus == corpus and row.utterance_id in captions]
        asked = [row for row in lines if row.corpus == corpus]
        if known:
            found |= tfidf_lr(_reading(known, captions), _reading(asked, captions))
    return found


def commonest(train: Sequence[Utterance], lines: Sequence[Utterance]) -> dict[str, str]:
    """The commonest train label of each line's corpus: what reading nothing reaches."""
    found: dict[str, str] = {}
    for corpus in dict.fromkeys(row.corpus for row in lines):
        known = [row for row in train if row.corpus == corpus]
        if known:
            found |= majority(known, [row for row in lines if row.corpus == corpus])
    return found


def _reading(rows: Sequence[Utterance], captions: Mapping[str, Caption]) -> list[Utterance]:
    """The lines with their captions in place of their words."""
    return [replace(row, text=captions[row.utterance_id].text if row.utterance_id in captions else "") for row in rows]
