"""What the corpora's authors say their files hold, to be compared with the files at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from model.emotions import labels


@dataclass(frozen=True, slots=True)
class Published:
    """Of one split. ``labels`` is label to utterances; empty where no totals are published for this cut."""

    dialogues: int
    utterances: int
    labels: Mapping[str, int] = field(default_factory=dict)


def _with_labels(corpus: str, dialogues: int, utterances: int, *totals: int) -> Published:
    return Published(dialogues, utterances, dict(zip(labels(corpus), totals, strict=True)))


_meld, _emorynlp = partial(_with_labels, "meld"), partial(_with_labels, "emorynlp")


PUBLISHED: Mapping[str, Mapping[str, Published]] = {
    "meld": {  # the train file has always lacked dialogue 60 of the 1,039
        "train": _meld(1039, 9989, 4710, 1743, 683, 1109, 1205, 268, 271),
        "dev": _meld(114, 1109, 470, 163, 111, 153, 150, 40, 22),
        "test": _meld(280, 2610, 1256, 402, 208, 345, 281, 50, 68),
    },
    "emorynlp": {
        "train": Published(659, 7551),
        "dev": Published(89, 954),
        "test": Published(79, 984),
    },
    "emorynlp-json": {
        "train": _emorynlp(713, 9934, 3034, 2184, 900, 784, 1285, 1076, 671),
        "dev": _emorynlp(99, 1344, 393, 289, 132, 134, 178, 143, 75),
        "test": _emorynlp(85, 1328, 349, 282, 159, 145, 182, 113, 98),
    },
}
"""Corpus to split. MELD and EmoryNLP's JSON files by their authors' pages; EmoryNLP's CSV files by table 1 of the
DialogueLLM paper, which has no labels."""
