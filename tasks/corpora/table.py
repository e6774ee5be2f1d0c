"""A corpus of one's own: one CSV, TSV, JSONL or Parquet file, a row per utterance (docs/own-corpus.md).

The corpus is called ``table-meld``, ``table-emorynlp``, ``table-iemocap``, …: after the label set that it uses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from model.dialogue import SPLITS, Rejected, Utterance
from tasks.corpora.table_rows import REQUIRED, table_rows
from tasks.corpora.transcript import BadRow, Row, clean, emotion, number

CITATION = "The user's own corpus: where it is from, and whose licence it has, is unknown to the program."
LICENCE = "unknown"

MAX_CELL, MAX_ID = 10_000, 100
"""Characters."""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?(e-[0-9]{1,2})?", re.IGNORECASE)

Found = tuple[int, Utterance]
"""Where a row stands in the file, and its utterance."""


def read(
    path: Path, labels: str, videos: Path | None = None, columns: Mapping[str, str] | None = None
) -> Iterator[Utterance | Rejected]:
    """All utterances of the file, split by split, dialogues as they first appear, by ``turn``; then the rejects.

    ``labels`` is a name of a label set (meld, emorynlp, iemocap, …); ``columns`` names the file's own column for one
    of ours. ``video`` and its times are set only where ``videos`` is given; whether the file is there is not looked
    at. A row that cannot be used is a Rejected. Raises CorpusError where the file cannot be read, is empty, or lacks a
    column.
    """
    corpus = f"table-{labels}"
    needed = REQUIRED if videos is None else (*REQUIRED, "video")
    kept: list[Found] = []
    rejects: list[Rejected] = []
    for place, row in table_rows(path, needed, columns or {}):
        try:
            kept.append((place, _parse(corpus, videos, row)))
        except BadRow as fault:
            utterance_id = fault.utterance_id or f"{corpus}/{_split(row)}/row/{place}"
            rejects.append(_rejected(utterance_id, fault.reason, place, fault))
    yield from _in_order(_sorted(kept))
    yield from rejects


def _parse(corpus: str, videos: Path | None, row: Row | None) -> Utterance:
    if row is None:
        raise BadRow("bad_row", "it has too few or too many cells, or is no object of plain values")
    _check_cells(row)
    cells = {name: clean(cell) for name, cell in row.items()}
    split, dialogue, turn = cells["split"].lower(), cells["dialogue_id"], number(cells, "turn")
    if split not in SPLITS:
        raise BadRow("unknown_split", f"split is {split[:40]!r}, none of {', '.join(SPLITS)}")
    if len(dialogue) > MAX_ID or "/" in dialogue or not dialogue.isprintable():
        told = f"not a name of at most {MAX_ID} printable characters without /"
        raise BadRow("bad_id", f"dialogue_id is {dialogue[:40]!r}, {told}")
    utterance_id = f"{corpus}/{split}/{dialogue}/{turn}"
    try:
        start, end = _times(cells)
        video = _video(row.get("video", "").strip(), videos)
    except BadRow as fault:
        raise BadRow(fault.reason, str(fault), utterance_id) from None
    return Utterance(
        utterance_id=utterance_id,
        corpus=corpus,
        split=split,
        dialogue_id=dialogue,
        turn=turn,
        source_utterance_id=str(turn),
        speaker=cells["speaker"],
        text=cells["text"],
        emotion=emotion(cells, "emotion", corpus, utterance_id),
        sentiment=cells.get("sentiment", "").lower() or None,
        video=video,
        start_s=start if video else None,
        end_s=end if video else None,
    )


def _check_cells(row: Row) -> None:
    for name, cell in row.items():
        if len(cell) > MAX_CELL:
            raise BadRow("cell_too_long", f"{name} has {len(cell)} characters, more than {MAX_CELL}")
        if "\0" in cell:
            raise BadRow("nul_byte", f"{name} holds a NUL byte")
    if empty := [name for name in REQUIRED if not clean(row[name])]:
        raise BadRow("missing_value", f"no {', '.join(empty)}")


def _times(row: Row) -> tuple[float | None, float | None]:
    """Start and end in seconds: both or neither."""
    cells = [row.get(name, "") for name in ("start_s", "end_s")]
    if cells == ["", ""]:
        return None, None
    if not all(map(_SECONDS.fullmatch, cells)):  # float() alone takes "1_0" for ten
        shown = ", ".join(repr(cell[:40]) for cell in cells)
        raise BadRow("bad_times", f"start_s, end_s are {shown}, not two numbers of seconds from 0 on")
    start, end = map(float, cells)
    if end <= start:
        raise BadRow("end_before_start", f"end_s {end:g} is not after start_s {start:g}")
    return start, end


def _video(name: str, videos: Path | None) -> str | None:
    """A path relative to ``videos`` that stays inside it, whatever links lie on the way."""
    if not name:
        return None
    if not name.isprintable() or "\\" in name:
        raise BadRow("bad_video_path", f"video is {name[:100]!r}; write a relative path with /")
    escape = BadRow("outside_root", f"video {name[:100]!r} leads out of the video folder; name a file inside it")
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise escape
    if videos is None:
        return None
    root = os.path.realpath(videos)
    if os.path.commonpath([root, os.path.realpath(videos / name)]) != root:
        raise escape
    return name


def _sorted(found: Iterable[Found]) -> list[Found]:
    """By split, then dialogues as they first appear, then turn; equal turns as they stand in the file."""
    found = list(found)
    first: dict[tuple[str, str], int] = {}
    for _, row in found:
        first.setdefault((row.split, row.dialogue_id), len(first))
    return sorted(
        found,
        key=lambda item: (SPLITS.index(item[1].split), first[item[1].split, item[1].dialogue_id], item[1].turn),
    )


def _in_order(found: Iterable[Found]) -> Iterator[Utterance | Rejected]:
    """Refuses ids that were there before and times that run backwards in a video; counts turns anew from 0."""
    seen: set[str] = set()
    turns: dict[tuple[str, str], int] = {}
    latest: dict[tuple[str, str, str], float] = {}
    rejects: list[Rejected] = []
    for place, row in found:
        dialogue = row.split, row.dialogue_id
        at = (*dialogue, row.video or "")
        if row.utterance_id in seen:
            detail = "another row has this split, dialogue_id and turn; give each its own"
            rejects.append(_rejected(row.utterance_id, "duplicate_id", place, detail))
        elif row.start_s is not None and row.start_s < latest.get(at, 0.0):
            detail = f"start_s {row.start_s:g} is before {latest[at]:g}, where an earlier turn starts"
            rejects.append(_rejected(row.utterance_id, "times_backwards", place, detail))
        else:
            latest[at] = latest.get(at, 0.0) if row.start_s is None else row.start_s
            turns[dialogue] = turns.get(dialogue, -1) + 1
            yield replace(row, turn=turns[dialogue])
        seen.add(row.utterance_id)
    yield from rejects


def _split(row: Row | None) -> str:
    split = (row or {}).get("split", "")[:MAX_ID].strip().lower()
    return split if split in SPLITS else "unknown"


def _rejected(utterance_id: str, reason: str, place: int, detail: object) -> Rejected:
    return Rejected(utterance_id, "ingest", reason, f"row {place}: {detail}; correct the table")
