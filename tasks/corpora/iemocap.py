"""IEMOCAP: two actors in a room, played from scripts and improvised (Busso et al., 2008; licence of USC).

The release is not to be had without a licence: https://sail.usc.edu/iemocap/ has the request form. ``folder`` is
IEMOCAP_full_release, unpacked. Of ``Session1`` to ``Session5`` this reads ``dialog/EmoEvaluation/*.txt`` (labels,
times), ``dialog/transcriptions/*.txt`` (words) and names ``dialog/avi/DivX/*.avi``: one video per dialogue with both
actors in the picture, so that every line has ``start_s`` and ``end_s`` in it.

Published counts: 151 dialogues (120 in sessions 1 to 4, 31 in session 5), 10,039 evaluated lines, of which by majority
neutral 1,708, happy 595, sad 1,084, angry 1,103, excited 1,041, frustrated 1,849, surprised 107, fearful 40,
disgusted 2, other 3 and no majority 2,507. So the label sets hold

    4   "iemocap4"  neutral, happy (with excited), sad, angry    5,531 lines
    6   "iemocap"   those with excited apart, and frustrated     7,380 lines
    8   "iemocap8"  those, surprised and fearful                 7,527 lines

A line with another label, or none that a majority agrees on, is Rejected (``label_not_in_set``) and is nobody's
context either: the paper's counts (5,810 lines of train and dev, 1,623 of test) are of labelled lines alone. They are
53 more than the six labels have in the release, so a run on it is near the paper's data, not the same.

Split by session, as the paper: test is session 5. Dev is every sixth dialogue of sessions 1 to 4 in order of name
(20 of 120); the paper only says that train and dev are those 120. The sessions share scripts: words of a
scripted test dialogue are in train too, spoken by others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from model.dialogue import Rejected, Utterance
from model.emotions import labels
from model.errors import CorpusError
from tasks.corpora.iemocap_layout import EVALUATIONS, TRANSCRIPTIONS, Dialogue, dialogues
from tasks.corpora.iemocap_lines import Evaluation, OddLine, Transcription, evaluations, transcriptions
from tasks.corpora.transcript import BadRow

CITATION = (
    "IEMOCAP: Busso et al., 2008, IEMOCAP: interactive emotional dyadic motion capture database. "
    "From USC on request, under a licence other than the open ones: https://sail.usc.edu/iemocap/"
)
LICENCE = "other"

CODES = {
    **{"neu": "neutral", "hap": "happy", "sad": "sad", "ang": "angry", "exc": "excited", "fru": "frustrated"},
    **{"sur": "surprised", "fea": "fearful", "dis": "disgusted", "oth": "other", "xxx": "no majority"},
}
Line = TypeVar("Line", Evaluation, Transcription)


def read(folder: Path, videos: Path | None = None, label_set: str = "iemocap") -> Iterator[Utterance | Rejected]:
    """All utterances with a label of ``label_set`` (the table above), split by split, dialogue by dialogue, by time.

    ``video`` is set (relative to ``videos``, which is the release's folder too) only where ``videos`` is given;
    whether the file is there is not looked at. Rejected: ``label_not_in_set``, ``unknown_label``, ``bad_id``,
    ``bad_line``, ``bad_times``, ``duplicate_id``, ``no_transcription``, ``no_evaluation``. Raises CorpusError for
    a folder or file that is missing, unreadable or holds no line of the form.
    """
    for dialogue in dialogues(folder, label_set):
        yield from _read_dialogue(dialogue, videos is not None)


def _read_dialogue(dialogue: Dialogue, has_video: bool) -> Iterator[Utterance | Rejected]:
    rejects: list[Rejected] = []
    evaluated = _by_name(dialogue, EVALUATIONS, evaluations(dialogue.read(EVALUATIONS)), rejects)
    spoken = _by_name(dialogue, TRANSCRIPTIONS, transcriptions(dialogue.read(TRANSCRIPTIONS)), rejects)
    turn = 0
    for name, line in sorted(evaluated.items(), key=lambda item: (item[1].start_s, item[1].end_s, item[0])):
        try:
            yield _utterance(dialogue, turn, line, spoken.get(name), has_video)
            turn += 1
        except BadRow as fault:
            rejects.append(_rejected(dialogue, name, fault.reason, str(fault)))
    for name in spoken:
        if name not in evaluated:
            rejects.append(_rejected(dialogue, name, "no_evaluation", "it is transcribed but was not evaluated"))
    yield from rejects


def _by_name(
    dialogue: Dialogue, kind: str, lines: Iterable[Line | OddLine], rejects: list[Rejected]
) -> dict[str, Line]:
    """The lines of one file by name; what cannot be used goes to ``rejects``. CorpusError where nothing can."""
    found: dict[str, Line] = {}
    for line in lines:
        if isinstance(line, OddLine):
            where = f"{kind}-{line.number}"
            rejects.append(_rejected(dialogue, where, "bad_line", f"line {line.number} is {line.start!r}"))
        elif not re.fullmatch(rf"{dialogue.name}_[FM]\w{{1,6}}", line.name, re.ASCII):
            rejects.append(_rejected(dialogue, line.name, "bad_id", f"{line.name} is no line of {dialogue.name}"))
        elif line.name in found:
            rejects.append(_rejected(dialogue, line.name, "duplicate_id", "a line before it has this name"))
        else:
            found[line.name] = line
    if not found:
        path = dialogue.folder / kind / f"{dialogue.name}.txt"
        raise CorpusError(f"{path} holds no line of {dialogue.name}; unpack the release again")
    return found


def _utterance(
    dialogue: Dialogue, turn: int, line: Evaluation, spoken: Transcription | None, has_video: bool
) -> Utterance:
    if line.code not in CODES:
        raise BadRow("unknown_label", f"label {line.code!r} is none of {', '.join(CODES)}")
    emotion = "happy" if (line.code, dialogue.corpus) == ("exc", "iemocap4") else CODES[line.code]
    if emotion not in labels(dialogue.corpus):
        raise BadRow("label_not_in_set", f"label {line.code} ({emotion}) is none of the {len(labels(dialogue.corpus))}")
    if not line.start_s < line.end_s:
        raise BadRow("bad_times", f"{line.start_s} s to {line.end_s} s is no stretch of a video")
    if spoken is None:
        raise BadRow("no_transcription", "it is evaluated but not transcribed")
    source = line.name.removeprefix(f"{dialogue.name}_")
    return Utterance(
        utterance_id=dialogue.identity(source),
        corpus=dialogue.corpus,
        split=dialogue.split,
        dialogue_id=dialogue.name,
        turn=turn,
        source_utterance_id=source,
        speaker=f"Speaker {dialogue.session}{source[0]}",  # Ses01F says who wears markers, F000 says who speaks
        text=spoken.text,
        emotion=emotion,
        video=f"Session{dialogue.session}/dialog/avi/DivX/{dialogue.name}.avi" if has_video else None,
        start_s=line.start_s,
        end_s=line.end_s,
        raters=line.raters,
    )


def _rejected(dialogue: Dialogue, name: str, reason: str, detail: str) -> Rejected:
    identity = dialogue.identity(name.removeprefix(f"{dialogue.name}_"))
    return Rejected(identity, "ingest", reason, f"{dialogue.name}: {detail}")
