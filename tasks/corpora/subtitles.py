"""A corpus of one's own from subtitles: an SRT or WebVTT file per dialogue in train/, dev/ and test/, with the emotion
of each cue in square brackets, and the dialogue's video beside it if there is one (docs/own-corpus.md).

The corpus is called ``subtitles-meld``, ``subtitles-emorynlp``, ``subtitles-iemocap``, …: after its label set.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path

from model.dialogue import Rejected, Utterance
from tasks.corpora import subtitles_layout, table
from tasks.corpora.subtitles_cues import Cue, OddLines, cues, is_vtt, seconds
from tasks.corpora.subtitles_layout import Dialogue
from tasks.corpora.subtitles_words import Words, words
from tasks.corpora.transcript import BadRow, decode

CITATION, LICENCE = table.CITATION, table.LICENCE


def read(folder: Path, labels: str, videos: Path | None = None) -> Iterator[Utterance | Rejected]:
    """All utterances, split by split, dialogues by name, cues as they stand; each dialogue's rejects after it.

    ``labels`` is a name of a label set. ``video``, ``start_s`` and ``end_s`` are set only where ``videos`` is given and
    has the dialogue's video. Rejected is what subtitles_cues and subtitles_words refuse, ``times_backwards``, and
    ``no_cues`` for a file without any. Raises CorpusError as subtitles_layout.dialogues.
    """
    for dialogue in subtitles_layout.dialogues(folder, videos):
        yield from _dialogue(f"subtitles-{labels}", dialogue)


def _dialogue(corpus: str, dialogue: Dialogue) -> Iterator[Utterance | Rejected]:
    text = _text(subtitles_layout.read(dialogue.path))
    vtt, base = is_vtt(text), f"{corpus}/{dialogue.split}/{dialogue.name}"
    rejects: list[Rejected] = []
    number, turn, latest = 0, 0, 0.0
    for found in cues(text):
        number += isinstance(found, Cue)
        source = str(number) if isinstance(found, Cue) else f"line-{found.line}"
        try:
            if isinstance(found, OddLines):
                raise BadRow(found.reason, found.detail)
            start, end = seconds(found.times)
            if start < latest:
                raise BadRow("times_backwards", f"it starts at {start:g} s, a cue before it at {latest:g} s")
            yield _utterance(corpus, dialogue, source, turn, (start, end), words(found.text, corpus, vtt=vtt))
            turn, latest = turn + 1, start
        except BadRow as fault:
            detail = f"{dialogue.path.name}, line {found.line}: {fault}; correct the file"
            rejects.append(Rejected(f"{base}/{source}", "ingest", fault.reason, detail))
    if not number and not rejects:
        rejects.append(Rejected(f"{base}/file", "ingest", "no_cues", f"{dialogue.path.name} has no cue; fill it"))
    yield from rejects


def _utterance(
    corpus: str, dialogue: Dialogue, source: str, turn: int, times: tuple[float, float], said: Words
) -> Utterance:
    return Utterance(
        utterance_id=f"{corpus}/{dialogue.split}/{dialogue.name}/{source}",
        corpus=corpus,
        split=dialogue.split,
        dialogue_id=dialogue.name,
        turn=turn,
        source_utterance_id=source,
        speaker=said.speaker,
        text=said.text,
        emotion=said.emotion,
        video=dialogue.video,
        start_s=times[0] if dialogue.video else None,
        end_s=times[1] if dialogue.video else None,
    )


def _text(data: bytes) -> str:
    """As transcript.decode, and UTF-16 by its mark, which editors of subtitles write."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return decode(data)
