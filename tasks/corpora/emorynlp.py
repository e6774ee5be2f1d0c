"""EmoryNLP: lines of the same series with seven other emotions (Zahiri and Choi, 2018; Apache-2.0). Text only.

Transcripts are ``emorynlp_{train,dev,test}_final.csv``, the split that papers on conversations use, or in their absence
the authors' JSON files (tasks/corpora/emorynlp_json.py). A scene is a dialogue, ``s01_e15_c01``: season, episode,
scene, as scene ids alone repeat. Speakers stand as Python lists in the CSV files, as a line can have several.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from model.dialogue import SPLITS, Rejected, Utterance
from tasks.corpora import emorynlp_json
from tasks.corpora.transcript import BadRow, Row, emotion, number, read_split

CORPUS = "emorynlp"
CITATION = (
    "EmoryNLP: Zahiri and Choi, Emotion Detection on TV Show Transcripts with Sequence-based Convolutional Neural "
    "Networks, 2018. Licence: Apache-2.0. The lines are those of a television series."
)
LICENCE = "apache-2.0"
COLUMNS = ("Utterance", "Speaker", "Emotion", "Scene_ID", "Utterance_ID", "Season", "Episode")
MAX_SPEAKER_CELL = 1000


def transcripts(folder: Path) -> dict[str, Path]:
    """Split to its transcript file: the CSV files, or the JSON files where none of those is there."""
    return _tables(folder) if edition(folder) == CORPUS else emorynlp_json.transcripts(folder)


def edition(folder: Path) -> str:
    """Whose counts the files of ``folder`` have, as published.py names them: "emorynlp" or "emorynlp-json"."""
    there, others = (
        any(path.exists() for path in paths.values()) for paths in (_tables(folder), emorynlp_json.transcripts(folder))
    )
    return f"{CORPUS}-json" if others and not there else CORPUS


def read(folder: Path, videos: Path | None = None) -> Iterator[Utterance | Rejected]:  # noqa: ARG001
    """All utterances, split by split, scene by scene, in the order of their ids; ``video`` is always None.

    Rejected and CorpusError as in meld.read; also Rejected where the speakers are not a list of names.
    """
    if edition(folder) != CORPUS:
        yield from emorynlp_json.read(folder)
        return
    for split, path in _tables(folder).items():
        yield from read_split(path, CORPUS, split, COLUMNS, partial(_parse, split))


def _tables(folder: Path) -> dict[str, Path]:
    return {split: folder / f"{CORPUS}_{split}_final.csv" for split in SPLITS}


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
    if (joined := emorynlp_json.speakers(names)) is None:
        raise fault
    return joined
