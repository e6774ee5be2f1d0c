"""Which subtitle file is which dialogue, and which video lies beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from model.dialogue import SPLITS
from model.errors import CorpusError
from tasks.corpora.transcript import read_bytes

SUFFIXES = (".srt", ".vtt")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts")
MAX_BYTES, MAX_NAME = 1 << 22, 100


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One file: ``name`` is its name without the suffix, ``video`` a path relative to the folder of the videos."""

    split: str
    name: str
    path: Path
    video: str | None = None


def transcripts(folder: Path) -> dict[str, Path]:
    """Every file that decides the utterances, by ``split/name.suffix``. CorpusError as ``dialogues``."""
    return {f"{found.split}/{found.path.name}": found.path for found in dialogues(folder)}


def dialogues(folder: Path, videos: Path | None = None) -> list[Dialogue]:
    """The files in train/, dev/ and test/ of ``folder``, split by split, in order of name. Others are no dialogues.

    ``video`` is the file of the same name and split in ``videos``; None where there is none. Raises CorpusError where
    a split's folder is missing or has no subtitle file, a name is odd or stands twice, a dialogue has two videos, or a
    file is no regular one, lies outside of ``folder`` or is larger than 4 MiB.
    """
    found: list[Dialogue] = []
    for split in SPLITS:
        files = _by_stem(folder / split, SUFFIXES, "ingest.folder")
        if not files:
            raise CorpusError(f"ingest.folder: {folder / split} holds no {' or '.join(SUFFIXES)} file; add one")
        beside = {} if videos is None else _by_stem(videos / split, VIDEO_SUFFIXES, "ingest.videos")
        for name, paths in files.items():
            path = _checked(folder, name, paths)
            video = f"{split}/{_only(beside[name]).name}" if name in beside else None
            found.append(Dialogue(split, name, path, video))
    return found


def read(path: Path) -> bytes:
    """The bytes of a file of ``dialogues``. CorpusError where it cannot be read or is too large."""
    try:
        data = read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise CorpusError(f"ingest.folder: {path} cannot be read ({error.strerror}); correct the folder") from error
    if len(data) > MAX_BYTES:
        raise CorpusError(f"ingest.folder: {path} is larger than {MAX_BYTES >> 20} MiB; is it a subtitle file?")
    return data


def _by_stem(folder: Path, suffixes: tuple[str, ...], setting: str) -> dict[str, list[Path]]:
    """The files of a kind by name without suffix; those that begin with a dot are the file system's own."""
    found: dict[str, list[Path]] = {}
    try:
        for path in sorted(folder.iterdir(), key=lambda path: path.name):
            if path.suffix.lower() in suffixes and path.name[0] != "." and not path.is_dir():
                found.setdefault(path.stem, []).append(path)
    except OSError as error:
        hint = f"set {setting} to a folder that holds {', '.join(SPLITS)}"
        raise CorpusError(f"{setting}: {folder} cannot be read ({error.strerror}); {hint}") from error
    return found


def _checked(folder: Path, name: str, paths: list[Path]) -> Path:
    if len(name) > MAX_NAME or not name.isprintable() or "\\" in name or name != name.strip():
        hint = f"name it in at most {MAX_NAME} printable characters"
        raise CorpusError(f"ingest.folder: {paths[0].parent} has a file {paths[0].name[:60]!r}; {hint}")
    path, root = _only(paths), os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(path)]) != root:
        raise CorpusError(f"ingest.folder: {path} leads out of the folder; copy the file into it")
    if not path.is_file():  # a named pipe would never end
        raise CorpusError(f"ingest.folder: {path} is not a regular file; put one in its place")
    return path


def _only(paths: list[Path]) -> Path:
    """The one file of a dialogue: which of two is meant is never guessed."""
    if len(paths) > 1:
        listed = ", ".join(path.name for path in paths)
        raise CorpusError(f"{paths[0].parent}: {listed} have one name but for the suffix; leave one")
    return paths[0]
