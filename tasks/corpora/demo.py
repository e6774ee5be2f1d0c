"""The demo corpus: the project's own dialogues, drawn and voiced by tasks/demo/render.py."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from model.dialogue import SPLITS, Rejected, Utterance
from model.emotions import labels
from model.errors import CorpusError

CITATION = "The demo corpus of DialogueLLM, written and drawn for the project. Licence: Apache-2.0."
LICENCE = "apache-2.0"
TRANSCRIPT = "transcript.csv"
COLUMNS = ("split", "dialogue_id", "utterance_id", "turn", "speaker", "text", "emotion", "sentiment", "video")
_VIDEO = re.compile(rf"({'|'.join(SPLITS)})/dia\d+_utt\d+\.mp4")


def read(folder: Path) -> Iterator[Utterance | Rejected]:
    """The utterances of a rendered demo corpus in the transcript's order; ``turn`` counts anew from 0.

    Raises CorpusError where transcript.csv is missing, cannot be read or lacks a column. A row that cannot be
    used becomes a Rejected; whether the video files are there is not looked at here.
    """
    seen: set[str] = set()
    turns: dict[tuple[str, str], int] = {}
    for row in _rows(folder / TRANSCRIPT):
        utterance_id = f"demo/{row['split']}/{row['dialogue_id']}/{row['utterance_id']}"
        fault = _fault(row) or (("duplicate", "this id was read before") if utterance_id in seen else None)
        if fault:
            detail = f"{fault[1]}; render the demo corpus again"
            yield Rejected(utterance_id, "ingest", fault[0], detail)
            continue
        seen.add(utterance_id)
        dialogue = row["split"], row["dialogue_id"]
        turn = turns[dialogue] = turns.get(dialogue, -1) + 1
        yield Utterance(
            utterance_id=utterance_id,
            corpus="demo",
            split=row["split"],
            dialogue_id=row["dialogue_id"],
            turn=turn,
            source_utterance_id=row["utterance_id"],
            speaker=row["speaker"],
            text=row["text"],
            emotion=row["emotion"],
            sentiment=row["sentiment"],
            video=row["video"],
        )


def _rows(path: Path) -> list[dict[str, str]]:
    """All rows with all columns (empty where a row is too short)."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, restval="", strict=True)
            missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
            if missing:
                raise CorpusError(
                    f"{path} has no column {', '.join(missing)}; delete the folder, render the demo corpus again"
                )
            return list(table)
    except FileNotFoundError as error:
        raise CorpusError(f"{path} is missing; render the demo corpus into {path.parent} first") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{path} cannot be read: {error}; render the demo corpus again") from error


def _fault(row: dict[str, str]) -> tuple[str, str] | None:
    """Reason and detail where a row cannot be used."""
    empty = [column for column in COLUMNS if not row[column].strip()]
    if empty:
        return "missing_value", f"no {', '.join(empty)}"
    if row["split"] not in SPLITS:
        return "unknown_split", f"split {row['split']!r} is none of {', '.join(SPLITS)}"
    if row["emotion"] not in labels("demo"):
        return "unknown_label", f"emotion {row['emotion']!r} is none of {', '.join(labels('demo'))}"
    if not (row["dialogue_id"].isdecimal() and row["utterance_id"].isdecimal()):
        return "bad_id", "dialogue_id and utterance_id must be numbers"
    if not _VIDEO.fullmatch(row["video"]):
        return "bad_video_path", f"video {row['video']!r} is not like train/dia0_utt0.mp4"
    return None
