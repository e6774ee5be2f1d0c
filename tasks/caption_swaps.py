"""Captions handed on to other lines: of the same gold emotion, or of another."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from model.dialogue import Caption, Utterance


def swapped_within(utterances: Sequence[Utterance], captions: Mapping[str, Caption], seed: int) -> dict[str, Caption]:
    """Each caption's place is taken by one of another line of its corpus and gold emotion, each used once.

    ``captions`` is by utterance id; a line alone with its emotion keeps its own, one without a caption gets none.
    """
    given: dict[str, Caption] = {}
    for names in _groups(utterances, captions, random.Random(seed)).values():
        given |= {name: captions[donor] for name, donor in zip(names, [*names[1:], names[0]], strict=True)}
    return given


def swapped_across(utterances: Sequence[Utterance], captions: Mapping[str, Caption], seed: int) -> dict[str, Caption]:
    """The same with captions of lines of other gold emotions, as far as there are any.

    Each is used once, unless an emotion has more than half of a corpus's captions: the rest of its lines then draw
    from the others.
    """
    rng = random.Random(seed)
    groups = _groups(utterances, captions, rng)
    given: dict[str, Caption] = {}
    for corpus in dict.fromkeys(corpus for corpus, _ in groups):
        own = {emotion: names for (home, emotion), names in groups.items() if home == corpus}
        order = [(name, emotion) for emotion, names in own.items() for name in names]
        step = max(map(len, own.values()))  # emotions stand together, so this far on stands another one
        for place, (name, emotion) in enumerate(order):
            donor, its = order[(place + step) % len(order)]
            if its == emotion:
                donor = rng.choice([other for other, theirs in order if theirs != emotion] or [name])
            given[name] = captions[donor]
    return given


def _groups(
    utterances: Sequence[Utterance], captions: Mapping[str, Caption], rng: random.Random
) -> dict[tuple[str, str], list[str]]:
    """Ids of the lines that have a caption by corpus and emotion, in an order that only the generator decides."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in sorted(utterances, key=lambda row: (row.corpus, row.emotion, row.utterance_id)):
        if row.utterance_id in captions:
            groups.setdefault((row.corpus, row.emotion), []).append(row.utterance_id)
    for names in groups.values():
        rng.shuffle(names)
    return groups
