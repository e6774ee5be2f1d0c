"""Confusion counts dialogue by dialogue, and the scores of such counts: of one table or of many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from model.dialogue import Prediction
from model.emotions import labels
from model.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Answers = Mapping[str, str | None]
"""Utterance id to label, None where the answer did not parse."""

OVERALL = ("accuracy", "weighted_f1", "macro_f1")
OF_A_LABEL = ("precision", "recall", "f1")


def answers_of(predictions: Sequence[Prediction]) -> dict[str, dict[str, str | None]]:
    """What each system says of each utterance. Raises CorpusError where a system has two answers to one."""
    systems: dict[str, dict[str, str | None]] = {}
    for row in predictions:
        if row.utterance_id in systems.setdefault(row.system, {}):
            raise CorpusError(
                f"{row.utterance_id} was predicted twice by {row.system}: run evaluate again with --force"
            )
        systems[row.system][row.utterance_id] = row.predicted
    return systems


def dialogue_of(utterance_id: str) -> str:
    """The dialogue, with its corpus and split: ``dialogue_of("meld/test/38/4") == "meld/test/38"``."""
    return utterance_id.rsplit("/", 1)[0]


def tally(
    corpus: str, gold: Mapping[str, str], answers: Answers, dialogues: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """``counts[dialogue, gold, said]``, labels in the corpus's order; the last ``said`` is no answer.

    ``dialogues`` gives the order of the first axis, of all that occur; default: as they come. Raises CorpusError where
    an answer has no gold label, or where either is no label of the corpus.
    """
    import numpy as np

    if lost := [name for name in answers if name not in gold]:
        raise CorpusError(
            f"{len(lost)} predictions are of utterances that the corpus {corpus} lacks, the first {lost[0]}: "
            "score the run that made them"
        )
    names = labels(corpus)
    place: dict[str | None, int] = {label: at for at, label in enumerate(names)}
    for name, said in answers.items():
        if gold[name] not in place or said not in {*place, None}:
            wrong = gold[name] if gold[name] not in place else said
            raise CorpusError(f"{name}: {wrong!r} is not a label of {corpus}; its labels are {', '.join(names)}")
    place[None] = len(names)
    order = {name: at for at, name in enumerate(dialogues or dict.fromkeys(map(dialogue_of, answers)))}
    counts = np.zeros((len(order), len(names), len(names) + 1))
    at = [(order[dialogue_of(name)], place[gold[name]], place[said]) for name, said in answers.items()]
    if at:
        np.add.at(counts, tuple(np.array(at).T), 1)
    return counts


def scores(counts: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Scores (shares in 0..1) of ``counts[..., gold, said]``: ``OVERALL`` shaped [...], ``OF_A_LABEL`` [..., label].

    No answer is always wrong. Weighted F1 weighs each label's F1 by its share of the gold labels; macro F1 is the plain
    mean over the labels that occur as gold. A label never predicted has precision 0, one that never occurs recall 0; a
    label without a right answer has F1 0. Of no lines at all the overall scores are NaN.
    """
    import numpy as np

    hits = np.diagonal(counts, axis1=-2, axis2=-1)  # the last column has no row of its own
    support, predicted = counts.sum(-1), counts.sum(-2)[..., :-1]
    occurs = support > 0
    with np.errstate(invalid="ignore"):  # 0 / 0
        total = support.sum(-1)
        f1 = np.where(hits > 0, 2 * hits / (predicted + support), 0.0)
        return {
            "accuracy": hits.sum(-1) / total,
            "weighted_f1": (f1 * support).sum(-1) / total,
            "macro_f1": (f1 * occurs).sum(-1) / occurs.sum(-1),
            "precision": np.where(predicted > 0, hits / predicted, 0.0),
            "recall": np.where(occurs, hits / support, 0.0),
            "f1": f1,
        }
