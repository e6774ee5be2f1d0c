"""MELD: lines of a television series with seven emotions (Poria et al., ACL 2019; GPL-3.0 on the transcripts).

Transcripts are ``{train,dev,test}_sent_emo.csv``. Videos are one clip per utterance, ``dia{D}_utt{U}.mp4`` in the
three folders of MELD.Raw. StartTime and EndTime are times in the episode, not in the clip, so ``start_s`` and
``end_s`` stay None: the whole clip is the utterance. Utterance ids have gaps; the order is ``turn``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from model.dialogue import SPLITS, Rejected, Utterance
from tasks.corpora.transcript import Row, emotion, number, read_split

CORPUS = "meld"
CITATION = (
    "MELD: Poria et al., A Multimodal Multi-Party Dataset for Emotion Recognition in Conversations, ACL 2019. "
    "Licence of the transcripts: GPL-3.0. The lines are those of a television series."
)
LICENCE = "gpl-3.0"
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
CLIPS = {"train": "train_splits", "dev": "dev_splits_complete", "test": "output_repeated_splits_test"}
SENTIMENTS = ("positive", "neutral", "negative")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-5]?[0-9]):([0-5]?[0-9])(?:[,.]([0-9]{1,6}))?")


def transcripts(folder: Path) -> dict[str, Path]:
    """Split to its transcript file."""
    return {split: folder / f"{split}_sent_emo.csv" for split in SPLITS}


def read(folder: Path, videos: Path | None = None) -> Iterator[Utterance | Rejected]:
    """All utterances, split by split, dialogue by dialogue, in the order of their ids.

    ``video`` is set (relative to ``videos``) only where ``videos`` is given; whether the clip is there is not
    looked at. An unknown label or an id that is no number is a Rejected. Raises CorpusError for a transcript
    that is missing, empty or lacks a column.
    """
    for split, path in transcripts(folder).items():
        clips = None if videos is None else _clip_folder(videos, split)
        yield from read_split(path, CORPUS, split, COLUMNS, partial(_parse, split, clips))


def spoken_seconds(folder: Path) -> dict[str, float]:
    """Utterance id to how long the line lasts by StartTime and EndTime; without the lines whose times make no sense.

    Raises CorpusError as ``read`` does.
    """
    found: dict[str, float] = {}

    def parse(split: str, row: Row) -> tuple[tuple[int, ...], Utterance]:
        place, utterance = _parse(split, None, row)
        start, end = (_clock(row.get(column, "")) for column in ("StartTime", "EndTime"))
        if start is not None and end is not None and end > start:
            found[utterance.utterance_id] = round(end - start, 3)
        return place, utterance

    for split, path in transcripts(folder).items():
        list(read_split(path, CORPUS, split, COLUMNS, partial(parse, split)))
    return found


def _clock(cell: str) -> float | None:
    """``00:16:16,059``, with a point or without the fraction, in seconds."""
    found = _CLOCK.fullmatch(cell)
    if not found:
        return None
    hours, minutes, seconds = (int(found[part]) for part in (1, 2, 3))
    return hours * 3600 + minutes * 60 + seconds + float(f"0.{found[4] or 0}")


def _parse(split: str, clips: str | None, row: Row) -> tuple[tuple[int, ...], Utterance]:
    dialogue, source = number(row, "Dialogue_ID"), number(row, "Utterance_ID")
    utterance_id = f"{CORPUS}/{split}/{dialogue}/{source}"
    sentiment = row["Sentiment"].lower()
    utterance = Utterance(
        utterance_id=utterance_id,
        corpus=CORPUS,
        split=split,
        dialogue_id=str(dialogue),
        turn=0,
        source_utterance_id=str(source),
        speaker=row["Speaker"],
        text=row["Utterance"],
        emotion=emotion(row, "Emotion", CORPUS, utterance_id),
        sentiment=sentiment if sentiment in SENTIMENTS else None,
        video=None if clips is None else f"{clips}/dia{dialogue}_utt{source}.mp4",
    )
    return (dialogue, source), utterance


def _clip_folder(videos: Path, split: str) -> str:
    """The split's folder inside ``videos``; MELD.Raw unpacks with or without a folder of the split's name."""
    nested = f"{split}/{CLIPS[split]}"
    return nested if (videos / nested).is_dir() else CLIPS[split]
