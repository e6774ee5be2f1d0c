from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora.transcript import Repaired, Row, clean, emotion, number, read_split


def parse(row: Row) -> tuple[tuple[int, ...], Utterance]:
    dialogue, source = number(row, "d"), number(row, "u")
    name = f"meld/train/{dialogue}/{source}"
    label = emotion(row, "emotion", "meld", name)
    return (dialogue, source), Utterance(
        name, "meld", "train", str(dialogue), 0, str(source), row["who"], row["text"], label
    )


def read(path: Path, content: str | bytes) -> list[Utterance | Rejected]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_split(path, "meld", "train", ("d", "u", "who", "text", "emotion"), parse))


HEADER = "d,u,who,text,emotion\n"


def test_rows_come_in_order_with_contiguous_turns_and_rejects_last(tmp_path: Path) -> None:
    lines = ["1,7,Ross,b,joy", "0,2,Ross,a,Joy", "1,x,Ross,c,joy", "1,3,Ross,d,JOY", "1,4,Ross,e,rage", "1,9,Ross"]
    rows = read(tmp_path / "t.csv", HEADER + "\n".join(lines))
    assert [(row.utterance_id, row.turn) for row in rows if isinstance(row, Utterance)] == [
        ("meld/train/0/2", 0),
        ("meld/train/1/3", 0),
        ("meld/train/1/7", 1),
    ]
    rejects = [row for row in rows[3:] if isinstance(row, Rejected)]
    assert [(row.utterance_id, row.reason) for row in rejects] == [
        ("meld/train/row/3", "bad_id"),
        ("meld/train/1/4", "unknown_label"),
        ("meld/train/row/6", "bad_row"),
    ]
    assert rejects[1].detail.startswith("t.csv, row 5: emotion is 'rage', none of neutral, joy")


def test_numbers_are_plain_and_bounded(tmp_path: Path) -> None:
    for odd in ("", "-1", "1.0", "1e3", "٣", "²", "9" * 5000):
        rows = read(tmp_path / "t.csv", HEADER + f"{odd},0,Ross,a,joy\n")
        assert [row.reason for row in rows if isinstance(row, Rejected)] == ["bad_id"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no column d, u, who, text, emotion; found: nothing"),
        ("\n\n", "no column"),
        (HEADER, "has a header but no rows"),
        ("d;u;who;text;emotion\n1;2;a;b;c\n", "found: d;u;who;text;emotion"),
        ("d,u,who,text\n1,2,a,b\n", "no column emotion; found: d, u, who, text"),
        (HEADER + '0,0,Ross,"never closed,joy\n', r"line 2: .*repair the file"),
        (HEADER + f"0,0,Ross,{'x' * 200_000},joy\n", r"line 2: field larger than"),
    ],
)
def test_a_file_of_another_form_is_an_error_that_names_it(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        read(tmp_path / "t.csv", content)
    assert "t.csv" in str(caught.value)


def test_a_missing_file_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.csv cannot be read \(No such file.*ingest\.folder"):
        list(read_split(tmp_path / "none.csv", "meld", "train", (), parse))


def test_any_bytes_give_rows_or_a_corpus_error(tmp_path: Path) -> None:
    for junk in (
        b"\x00" * 100,
        bytes(range(256)) * 20,
        b"\xff\xfed\x00,\x00",
        HEADER.encode() + b"\x00,\x81,\xff,a,joy",
    ):
        try:
            rows = read(tmp_path / "t.csv", junk)
        except CorpusError:
            continue
        assert all(isinstance(row, Rejected) for row in rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_encodings_are_told_apart(tmp_path: Path, encoding: str) -> None:
    rows = read(tmp_path / "t.csv", (HEADER + "0,0,Ross,Café … I’m ‘ok’,joy\r\n").encode(encoding))
    assert isinstance(rows[0], Utterance)
    assert rows[0].text == "Café … I’m ‘ok’"


@pytest.mark.parametrize(
    ("dirty", "tidy"),
    [
        ("I\x92m \x93fine\x94\x85", "I’m “fine”…"),
        ("Iâ€™m â€œfineâ€\x9d â€” cafÃ©", "I’m “fine” — café"),
        ("tab\there\r\nand\x00 nul \u2028 x", "tab here and nul x"),
        ("Â£5 für Ärger, São", "Â£5 für Ärger, São".replace("Â£", "£")),
        ("naïve Ã vous", "naïve Ã vous"),
        ("plain", "plain"),
    ],
)
def test_text_is_repaired_without_harm(dirty: str, tidy: str) -> None:
    assert clean(dirty) == tidy
    assert clean(tidy) == tidy


def test_what_was_repaired_is_marked_and_is_still_the_same_text(tmp_path: Path) -> None:
    rows = read(
        tmp_path / "t.csv",
        HEADER + "0,0,Ross,I\u0092m here,joy\n0,1,Ross,I’m  here\x00,joy\n0,2,Zo\u00c3\u00ab,Hm,joy\n",
    )
    kept = [row for row in rows if isinstance(row, Utterance)]
    assert [(row.text, isinstance(row.text, Repaired)) for row in kept] == [
        ("I’m here", True),
        ("I’m here", False),
        ("Hm", False),
    ]
    assert isinstance(kept[2].speaker, Repaired)
    assert pa.array([row.text for row in kept]).to_pylist() == ["I’m here", "I’m here", "Hm"]
