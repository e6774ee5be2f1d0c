"""What can be said of a corpus from its rows alone: pure functions from ingest's rows to findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from model.dialogue import SPLITS, Rejected, Utterance
from model.emotions import labels
from tasks.corpora.leaks import dialogues, normalise
from tasks.corpora.published import PUBLISHED, Published
from tasks.corpora.transcript import Repaired

Level = Literal["error", "warning", "info"]
NAMED = 5
"""Repaired lines that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was seen. ``error``: something of the input is lost or the run would stop; ``warning``: it
    would run, but look first; ``info``: for reading only. ``check`` is a fixed word, ``id`` what it is about (an
    utterance, ``corpus/split``, a file, a stage)."""

    level: Level
    check: str
    id: str
    detail: str


def too_many(rows: Sequence[Utterance | Rejected], limit: float) -> Iterator[Finding]:
    """Whether ingest refuses more than ``limit``, the share (0 to 1) over which the run stops."""
    refused = [row for row in rows if isinstance(row, Rejected)]
    if refused and len(refused) > limit * len(rows):
        share = f"{len(refused)} of {len(rows)} rows are refused, over ingest.max_rejects = {limit:g}: a run stops"
        yield Finding("error", "too_many_rejects", "ingest", share)


def rejects(rows: Sequence[Utterance | Rejected]) -> Iterator[Finding]:
    """Every row that ingest refuses."""
    for row in rows:
        if isinstance(row, Rejected):
            yield Finding("error", row.reason, row.utterance_id, row.detail)


def repaired(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """How many lines of a split had characters of another encoding, which ingest puts right; one finding a split."""
    touched: dict[str, list[str]] = {}
    for row in utterances:
        if isinstance(row.text, Repaired) or isinstance(row.speaker, Repaired):
            touched.setdefault(f"{row.corpus}/{row.split}", []).append(row.utterance_id)
    for split, lines in touched.items():
        listed = ", ".join(lines[:NAMED]) + (", …" if len(lines) > NAMED else "")
        yield Finding(
            "info", "repaired_text", split, f"characters of another encoding put right (lines: {len(lines)}): {listed}"
        )


def repeated(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Lines that the same speaker says twice in a dialogue: people do, and copied rows look the same."""
    first: dict[tuple[str, ...], str] = {}
    for row in utterances:
        words = normalise(row.text)
        key = (row.corpus, row.split, row.dialogue_id, row.speaker, words)
        if words and first.setdefault(key, row.utterance_id) != row.utterance_id:
            yield Finding("info", "repeated_line", row.utterance_id, f"same speaker and words as {first[key]}")


def shared_dialogues(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Dialogues whose every word stands in another split too: a score would measure memory."""
    first: dict[tuple[str, ...], tuple[str, str, str]] = {}
    for key, rows in dialogues(utterances).items():
        words = tuple(normalise(row.text) for row in rows)
        if any(words) and first.setdefault(words, key)[1] != key[1]:
            told = f"line for line (lines: {len(rows)}) {'/'.join(first[words])}; leave one of the two out"
            yield Finding("warning", "dialogue_in_two_splits", "/".join(key), told)


def balance(utterances: Sequence[Utterance], corpus: str) -> Iterator[Finding]:
    """Size and labels of each split, one finding a split; an error where a split has no line."""
    for split in SPLITS:
        size, parts, found = _counts(utterances, split)
        name = f"{corpus}/{split}"
        if not size:
            yield Finding("error", "empty_split", name, "no line is left; correct the transcript or ingest.dialogues")
            continue
        shares = ", ".join(f"{label} {count} ({count / size:.1%})" for label, count in found.most_common())
        yield Finding("info", "balance", name, f"{size} utterances in {len(parts)} dialogues: {shares}")
        if absent := [label for label in labels(corpus) if label not in found]:
            yield Finding("warning", "absent_label", name, f"no line is {' or '.join(absent)}")


def published(utterances: Sequence[Utterance], corpus: str, edition: str | None = None) -> Iterator[Finding]:
    """Where a whole corpus is not what its authors say of this ``edition``; one finding a split and kind."""
    for split, claim in PUBLISHED.get(edition or corpus, {}).items():
        name = f"{corpus}/{split}"
        different = list(_differences(claim, *_counts(utterances, split)))
        for check, detail in different:
            yield Finding("warning", check, name, detail)
        if not different:
            told = "utterances, dialogues and labels" if claim.labels else "utterances and dialogues"
            yield Finding("info", "as_published", name, f"{told} are the published counts")


def _differences(claim: Published, size: int, parts: set[str], found: Counter[str]) -> Iterator[tuple[str, str]]:
    if size != claim.utterances:
        yield "published_utterances", _against("utterances", size, claim.utterances)
    if len(parts) != claim.dialogues:
        detail = _against("dialogues", len(parts), claim.dialogues)
        numbered = parts and all(part.isdecimal() for part in parts)
        gone = [str(n) for n in range(claim.dialogues) if str(n) not in parts] if numbered else []
        yield "published_dialogues", detail + (f"; without {', '.join(gone[:10])}" if gone else "")
    wrong = [_against(label, found[label], count) for label, count in claim.labels.items() if found[label] != count]
    if wrong:
        yield "published_labels", "; ".join(wrong)


def _against(what: str, here: int, there: int) -> str:
    return f"{what} {here}, published {there} ({here - there:+d})"


def _counts(utterances: Sequence[Utterance], split: str) -> tuple[int, set[str], Counter[str]]:
    rows = [row for row in utterances if row.split == split]
    return len(rows), {row.dialogue_id for row in rows}, Counter(row.emotion for row in rows)


def all_of(
    rows: Sequence[Utterance | Rejected], corpus: str, *, whole: bool, edition: str | None = None
) -> list[Finding]:
    """Every finding of the text; the published counts only where the corpus is ``whole``, not a subset.

    ``edition`` is the name that published.py has for the files, where it is not the corpus's.
    """
    utterances = [row for row in rows if isinstance(row, Utterance)]
    groups = (
        rejects(rows),
        shared_dialogues(utterances),
        published(utterances, corpus, edition) if whole else (),
        balance(utterances, corpus),
        repaired(utterances),
        repeated(utterances),
    )
    return [finding for group in groups for finding in group]
