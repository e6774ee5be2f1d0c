"""Where IEMOCAP's release keeps what, and which dialogue belongs to which split."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model.dialogue import SPLITS
from model.errors import CorpusError
from tasks.corpora.transcript import MAX_BYTES, decode, read_bytes

SESSIONS, TEST_SESSION, DEV_EVERY = range(1, 6), 5, 6
EVALUATIONS, TRANSCRIPTIONS = "EmoEvaluation", "transcriptions"


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One dialogue: ``folder`` is its session's folder dialog/, ``corpus`` and ``split`` begin its lines' ids."""

    corpus: str
    split: str
    session: int
    name: str
    folder: Path

    def identity(self, line: str) -> str:
        """The id of a line: ``F000``, or anything else that names it."""
        return f"{self.corpus}/{self.split}/{self.name}/{line}"

    def read(self, kind: str) -> str:
        """The text of its file of EVALUATIONS or TRANSCRIPTIONS. CorpusError where it cannot be read."""
        return decode(_bytes(self.folder / kind / f"{self.name}.txt"))


def transcripts(folder: Path) -> dict[str, Path]:
    """Every file that decides the utterances, by its path in ``folder``.

    Raises CorpusError where a session or one of the two files of a dialogue is missing, or a .txt file has a name that
    is no dialogue's of its session (which could put it into the wrong split).
    """
    found: dict[str, Path] = {}
    for session in SESSIONS:
        names = {kind: _names(folder, session, kind) for kind in (EVALUATIONS, TRANSCRIPTIONS)}
        if odd := set(names[EVALUATIONS]) ^ set(names[TRANSCRIPTIONS]):
            raise CorpusError(
                f"{_dialog(folder, session)}: {min(odd)}.txt is not in both {EVALUATIONS} and {TRANSCRIPTIONS}; "
                "unpack the release again"
            )
        paths = [_dialog(folder, session) / kind / f"{name}.txt" for kind, listed in names.items() for name in listed]
        found |= {path.relative_to(folder).as_posix(): path for path in paths}
    return found


def dialogues(folder: Path, corpus: str) -> list[Dialogue]:
    """All dialogues, split by split, in order of session and name. CorpusError as ``transcripts``."""
    transcripts(folder)
    names = [(session, name) for session in SESSIONS for name in _names(folder, session, EVALUATIONS)]
    found = []
    for at, (session, name) in enumerate(names):
        split = "test" if session == TEST_SESSION else "dev" if at % DEV_EVERY == DEV_EVERY - 1 else "train"
        found.append(Dialogue(corpus, split, session, name, _dialog(folder, session)))
    return sorted(found, key=lambda dialogue: SPLITS.index(dialogue.split))


def _dialog(folder: Path, session: int) -> Path:
    return folder / f"Session{session}" / "dialog"


def _names(folder: Path, session: int, kind: str) -> list[str]:
    """The dialogues of one session in order of name; files that begin with a dot are the file system's own."""
    place = _dialog(folder, session) / kind
    try:
        names = sorted(path.stem for path in place.iterdir() if path.suffix == ".txt" and path.name[0] != ".")
    except OSError as error:
        hint = "set ingest.folder to IEMOCAP_full_release"
        raise CorpusError(f"ingest.folder: {place} cannot be read ({error.strerror}); {hint}") from error
    if not names:
        raise CorpusError(f"{place} holds no .txt file; unpack the release again")
    for name in names:
        if not re.fullmatch(rf"Ses0{session}[FM]_\w{{1,40}}", name, re.ASCII):
            raise CorpusError(f"{place}: {name[:60]!r}.txt is no dialogue of session {session}; move it away")
        if not (place / f"{name}.txt").is_file():  # a named pipe would never end
            raise CorpusError(f"{place / name}.txt is not a regular file; unpack the release again")
    return names


def _bytes(path: Path) -> bytes:
    try:
        data = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}); unpack the release again") from error
    if len(data) > MAX_BYTES:
        raise CorpusError(f"{path} is larger than {MAX_BYTES >> 20} MiB; unpack the release again")
    return data
