"""What the readers of CSV transcripts share: hostile bytes in, clean cells out, rejects with a reason."""

from __future__ import annotations

import csv
import errno
import io
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from model.dialogue import Rejected, Utterance
from model.emotions import labels
from model.errors import CorpusError

Row = dict[str, str]
Parse = Callable[[Row], tuple[tuple[int, ...], Utterance]]
"""A row's place (dialogue, then order within it) and its utterance, whose ``turn`` is set afterwards."""

MAX_BYTES = 1 << 26
"""Of a published transcript; the largest has 1.1 MB."""

_C1 = re.compile(r"[\x80-\x9f]")
_HIGH = "\u0080-\u00bfŒœŠšŸŽžƒˆ˜–—‘’‚“”„†‡•…‰‹›€™"
_MOJIBAKE = re.compile(f"[\u00c2-\u00f4][{_HIGH}]{{1,3}}")


class Repaired(str):
    """Text that ``clean`` put right; equal to the same text that needed no repair. The check counts them."""

    __slots__ = ()


class BadRow(Exception):
    """A row that cannot be used; ``reason`` is the fixed word for ``rejects.reason``."""

    def __init__(self, reason: str, detail: str, utterance_id: str | None = None) -> None:
        super().__init__(detail)
        self.reason = reason
        self.utterance_id = utterance_id


def read_split(
    path: Path, corpus: str, split: str, columns: Sequence[str], parse: Parse
) -> Iterator[Utterance | Rejected]:
    """The utterances of one file, in order, ``turn`` contiguous from 0 in each dialogue; after them the rejects.

    Raises CorpusError where the file is missing, empty, unreadable or lacks a column.
    """
    kept: list[tuple[tuple[int, ...], Utterance]] = []
    rejects: list[Rejected] = []
    for number, row in enumerate(_rows(path, columns), 1):
        try:
            if not row:
                raise BadRow("bad_row", "it has too few or too many cells")
            kept.append(parse(row))
        except BadRow as fault:
            utterance_id = fault.utterance_id or f"{corpus}/{split}/row/{number}"
            detail = f"{path.name}, row {number}: {fault}"
            rejects.append(Rejected(utterance_id, "ingest", fault.reason, detail))
    yield from in_order(kept)
    yield from rejects


def in_order(rows: Sequence[tuple[tuple[int, ...], Utterance]]) -> Iterator[Utterance]:
    """The utterances of one split by their places, ``turn`` contiguous from 0 in each dialogue."""
    turns: dict[str, int] = {}
    for _, utterance in sorted(rows, key=lambda pair: pair[0]):
        turn = turns[utterance.dialogue_id] = turns.get(utterance.dialogue_id, -1) + 1
        yield replace(utterance, turn=turn)


def number(row: Row, column: str) -> int:
    """A cell that must be a whole number of at most nine digits."""
    cell = row[column]
    if not (cell.isascii() and cell.isdecimal() and len(cell) <= 9):
        raise BadRow("bad_id", f"{column} is {cell[:40]!r}, not a number")
    return int(cell)


def emotion(row: Row, column: str, corpus: str, utterance_id: str) -> str:
    """A cell that must be a label of the corpus, in whatever case."""
    label = row[column].lower()
    if label not in labels(corpus):
        known = ", ".join(labels(corpus))
        raise BadRow("unknown_label", f"{column} is {shown(row[column])}, none of {known}", utterance_id)
    return label


def shown(text: str) -> str:
    """The beginning of a cell, for a message; with its letters' numbers too where they may only look like others."""
    start = text[:40]
    return repr(start) if start.isascii() else f"{start!r} ({start!a})"


def clean(text: str) -> str:
    """``text`` with Windows-1252 accidents repaired, control characters removed and white space collapsed.

    Where there was such an accident the result is a Repaired.
    """
    right = _MOJIBAKE.sub(lambda found: _as_utf8(found[0]), text)
    right = _C1.sub(lambda found: found[0].encode("latin-1").decode("cp1252", "ignore"), right)
    kind = str if right == text else Repaired
    if not right.isprintable():
        right = "".join(char for char in right if char.isspace() or unicodedata.category(char) not in ("Cc", "Cs"))
    return kind(" ".join(right.split()))


def _rows(path: Path, columns: Sequence[str]) -> list[Row]:
    """All rows with clean cells; an empty dict where a row has too few or too many cells."""
    try:
        data = read_bytes(path, MAX_BYTES)
    except OSError as error:
        hint = "set ingest.folder to where the CSV files lie"
        raise CorpusError(f"{path} cannot be read ({error.strerror}); {hint}") from error
    if len(data) > MAX_BYTES:
        raise CorpusError(f"{path} is larger than {MAX_BYTES >> 20} MiB; download it again")
    table = csv.DictReader(lines(data), strict=True)
    try:
        found = [name.strip() for name in table.fieldnames or ()]
        if missing := [name for name in columns if name not in found]:
            listed = ", ".join(found)[:300] or "nothing"
            raise CorpusError(f"{path} has no column {', '.join(missing)}; found: {listed}")
        table.fieldnames = found
        rows = [_cells(row) for row in table]
    except csv.Error as error:
        place = f"{path}, line {table.reader.line_num}"
        raise CorpusError(f"{place}: {error}; repair the file or download it again") from error
    if not rows:
        raise CorpusError(f"{path} has a header but no rows; download it again")
    return rows


def _cells(row: dict[str | None, str | list[str] | None]) -> Row:
    if None in row or None in row.values():
        return {}
    return {str(name): clean(str(value)) for name, value in row.items()}


def open_plain(path: Path) -> io.BufferedReader:
    """Opens a file to be read. OSError as of Path, and of a pipe or a device: such may never come to an end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        return open(descriptor, "rb")  # noqa: PTH123 (of a descriptor)
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int) -> bytes:
    """The bytes of a file, at most ``most`` of them and one more, which tells that it is larger. As ``open_plain``."""
    pieces, left = [], most + 1
    with open_plain(path) as file:  # read(most) would ask for so much memory whatever the file holds
        while left and (piece := file.read(min(left, 1 << 20))):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def decode(data: bytes) -> str:
    """UTF-8 text, with or without its mark; anything else is taken for Windows-1252."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def lines(data: bytes) -> io.TextIOWrapper:
    """The lines of the same text, with their ends as they stand; it is never in memory a second time, as a whole."""
    try:
        data.decode()
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "cp1252"
    return io.TextIOWrapper(io.BytesIO(data), encoding, "replace", newline="")


def _as_utf8(text: str) -> str:
    """UTF-8 that was once read as Windows-1252 ("â€™") put right; anything else as it is."""
    try:
        return b"".join(_byte(char) for char in text).decode("utf-8")
    except UnicodeError:
        return text


def _byte(char: str) -> bytes:
    return char.encode("latin-1") if ord(char) < 256 else char.encode("cp1252")
