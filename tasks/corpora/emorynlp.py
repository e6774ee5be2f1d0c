"""EmoryNLP: lines of the same series with seven other emotions (Zahiri and Choi, 2018; Apache-2.0). Text only.

Transcripts are ``emorynlp_{train,dev,test}_final.csv``. A scene is a dialogue, ``s01_e15_c01`` (season, episode,
scene: scene ids alone repeat). Speakers stand as Python lists, as a line can have several.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from model.dialogue import SPLITS, Rejected, Utterance
from tasks.corpora.transcript import BadRow, Row, emotion, number, read_split

CORPUS = "emorynlp"
CITATION = (
    "EmoryNLP: Zahiri and Choi, Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural "
    "Networks, 2018. Licence: Apache-2.0. The lines are those of a television series."
)
LICENCE = "apache-2.0"
COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
MAX_SPEAKERS, MAX_SPEAKER_CELL = 20, 1000
EVERYBODY = "#ALL#"


def transcripts(folder: Path) -> dict[str, Path]:
    """Split to its transcript file."""
    return {split: folder / f"{CORPUS}_{split}_final.csv" for split in SPLITS}


def read(folder: Path, videos: Path | None = None) -> Iterator[Utterance | Rejected]:  # noqa: ARG001
    """All utterances, split by split, scene by scene, in the order of their ids; ``video`` is always None.

    Rejected and CorpusError as in meld.read; also Rejected where the speakers are not a list of names.
    """
    for split, path in transcripts(folder).items():
        yield from read_split(path, CORPUS, split, COLUMNS, partial(_parse, split))


def _parse(split: str, row: Row) -> tuple[tuple[int, ...], Utterance]:
    season, episode, scene = (number(row, column) for column in ("Season", "Episode", "Scene_ID"))
    source = number(row, "Utterance_ID")
    dialogue = f"s{season:02d}_e{episode:02d}_c{scene:02d}"
    utterance_id = f"{CORPUS}/{split}/{dialogue}/{source}"
    utterance = Utterance(
        utterance_id=utterance_id,
        corpus=CORPUS,
        split=split,
        dialogue_id=dialogue,
        turn=0,
        source_utterance_id=str(source),
        speaker=_speaker(row["Speaker"], utterance_id),
        text=row["Utterance"],
        emotion=emotion(row, "Emotion", CORPUS, utterance_id),
    )
    return (season, episode, scene, source), utterance


def _speaker(cell: str, utterance_id: str) -> str:
    """``"['Monica Geller', 'Phoebe Buffay']"`` to ``"Monica Geller, Phoebe Buffay"``."""
    fault = BadRow("bad_speaker", f"Speaker is {cell[:60]!r}, not a list of names", utterance_id)
    if len(cell) > MAX_SPEAKER_CELL or "\\" in cell:  # bounds the parser; no name needs an escape
        raise fault
    try:
        names = ast.literal_eval(cell)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise fault from error
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_SPEAKERS:
        raise fault
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise fault
    return ", ".join("All" if name == EVERYBODY else name.strip() for name in names)
