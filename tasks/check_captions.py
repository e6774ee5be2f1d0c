"""Whether captions give the answer away, and how usable they are: those that a workspace already holds, counted.

Captions of train and dev alone are read; what the test split's say is evaluation's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from model.dialogue import Caption, Utterance
from model.emotions import parse
from model.errors import WorkspaceError
from storage import ledger
from storage.shards import read_rows
from tasks.check_text import Finding
from tasks.plan import Run


@dataclass(frozen=True, slots=True)
class Measure:
    """What captions are counted by: those at least ``least``. None: cannot be said of this one."""

    told: str
    of: Callable[[Caption], float | None]
    least: float


MEASURES = (
    Measure("repeat a quarter of themselves", lambda caption: caption.repetition, 0.25),
    Measure("have four words of five from the one before", lambda caption: caption.like_previous, 0.8),
    Measure("hold little English", lambda caption: 1 - caption.english if caption.n_words >= 8 else None, 0.8),
    Measure("decline to describe", lambda caption: float(caption.refusal), 1.0),
    Measure(
        "are contradicted by who was found",
        lambda caption: None if caption.contradiction is None else float(caption.contradiction != "none"),
        1.0,
    ),
)
"""The limits are for the eye: looser than those by which captions are rejected."""


def all_of(run: Run) -> Iterator[Finding]:
    """Findings by corpus and split of train and dev, of the shards that are done under this configuration's key."""
    key, ingest = run.keys.get("captions"), run.keys.get("ingest")
    if key is None or ingest is None:
        return
    found: dict[str, list[tuple[Utterance, Caption]]] = {}
    for item in run.shards() or []:
        split, shard = item["split"], item["shard"]
        if split == "test" or ledger.shard_state(run.layout, "captions", key, shard)[0] != "done":
            continue
        try:
            lines = {row.utterance_id: row for row in read_rows(run.layout, "utterances", ingest, shard)}
            captions = read_rows(run.layout, "captions", key, shard)
        except WorkspaceError as error:
            yield Finding("warning", "captions", f"part-{shard:05d}", str(error))
            continue
        for caption in captions:
            line = lines[caption.utterance_id]
            found.setdefault(f"{line.corpus}/{split}", []).append((line, caption))
    for name, pairs in found.items():
        yield from _of_split(name, pairs)


def _of_split(name: str, pairs: list[tuple[Utterance, Caption]]) -> Iterator[Finding]:
    said = [caption for _, caption in pairs]
    names = sum(bool(caption.emotion_words) for caption in said)
    gold = sum(any(parse(word, line.corpus) == line.emotion for word in own.emotion_words) for line, own in pairs)
    leaks = f"{names / len(said):.1%} name an emotion, {gold / len(said):.1%} the line's own"
    words = sorted(caption.n_words for caption in said)
    length = f"{words[0]} to {words[-1]} words, the median {words[len(words) // 2]}"
    yield Finding("info", "captions", name, f"{len(said)} captions: {leaks}; {length}")
    none = []
    for measure in MEASURES:
        judged = [(value, caption) for caption in said if (value := measure.of(caption)) is not None]
        over = [one for one in judged if one[0] >= measure.least]
        if over:
            _, worst = max(over, key=lambda one: one[0])
            told = f"{len(over)} of {len(judged)} {measure.told}; for example {worst.utterance_id}: {worst.text[:80]!r}"
            yield Finding("info", "captions", name, told)
        elif judged:
            none.append(measure.told)
    if none:
        yield Finding("info", "captions", name, f"none {', none '.join(none)}")
