from __future__ import annotations

import csv
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.dialogue import Rejected, Utterance
from tasks.corpora import table
from tasks.corpora.table_rows import OPTIONAL, REQUIRED

COLUMNS = (*REQUIRED, *OPTIONAL)
GOOD = {"split": "train", "dialogue_id": "a", "turn": 0, "speaker": "Ana", "text": "Hi.", "emotion": "joy"}


def write(folder: Path, *rows: dict[str, Any]) -> Path:
    """A CSV file with a good row for each of ``rows``, changed by it."""
    path = folder / "corpus.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows({**GOOD, **row} for row in rows)
    return path


def read(folder: Path, *rows: dict[str, Any], videos: Path | None = None) -> list[Utterance | Rejected]:
    return list(table.read(write(folder, *rows), "meld", videos))


def test_a_row_becomes_an_utterance(tmp_path: Path) -> None:
    row = {"turn": 4, "emotion": "Joy", "video": "a/b.mp4", "start_s": "5e-05", "end_s": 2.5, "sentiment": "Positive"}
    assert read(tmp_path, row, videos=tmp_path) == [
        Utterance(
            utterance_id="table-meld/train/a/4",
            corpus="table-meld",
            split="train",
            dialogue_id="a",
            turn=0,
            source_utterance_id="4",
            speaker="Ana",
            text="Hi.",
            emotion="joy",
            sentiment="positive",
            video="a/b.mp4",
            start_s=5e-05,
            end_s=2.5,
        )
    ]
    text_only = read(tmp_path, row)[0]
    assert isinstance(text_only, Utterance)
    assert (text_only.video, text_only.start_s, text_only.end_s) == (None, None, None)


def test_splits_then_dialogues_as_they_appear_then_turns(tmp_path: Path) -> None:
    places = [("test", "b", 1), ("train", "z", 10), ("train", "a", 3), ("train", "z", 9), ("test", "b", 0)]
    rows = read(tmp_path, *({"split": s, "dialogue_id": d, "turn": t} for s, d, t in places))
    assert [(row.utterance_id, row.turn) for row in rows if isinstance(row, Utterance)] == [
        ("table-meld/train/z/9", 0),
        ("table-meld/train/z/10", 1),
        ("table-meld/train/a/3", 0),
        ("table-meld/test/b/0", 0),
        ("table-meld/test/b/1", 1),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": " "}, "missing_value"),
        ({"split": "validation"}, "unknown_split"),
        ({"emotion": "rage"}, "unknown_label"),
        ({"emotion": "joyful"}, "unknown_label"),
        ({"turn": "-1"}, "bad_id"),
        ({"turn": "1.5"}, "bad_id"),
        ({"dialogue_id": "a/b"}, "bad_id"),
        ({"dialogue_id": "a" * 101}, "bad_id"),
        ({"text": "a\0b"}, "nul_byte"),
        ({"text": "a" * 10_000_000}, "cell_too_long"),
        ({"start_s": "1"}, "bad_times"),
        ({"start_s": "nan", "end_s": "2"}, "bad_times"),
        ({"start_s": "-1", "end_s": "2"}, "bad_times"),
        ({"start_s": "0", "end_s": "inf"}, "bad_times"),
        ({"start_s": "1_0", "end_s": "2_0"}, "bad_times"),
        ({"start_s": "0", "end_s": "1e999"}, "bad_times"),
        ({"start_s": "00:01", "end_s": "00:02"}, "bad_times"),
        ({"start_s": "2", "end_s": "2"}, "end_before_start"),
        ({"start_s": "2", "end_s": "1"}, "end_before_start"),
        ({"video": "/etc/passwd"}, "outside_root"),
        ({"video": "../x.mp4"}, "outside_root"),
        ({"video": "a/../../x.mp4"}, "outside_root"),
        ({"video": "link/x.mp4"}, "outside_root"),
        ({"video": "..\\x.mp4"}, "bad_video_path"),
        ({"video": "a\nb.mp4"}, "bad_video_path"),
    ],
)
def test_a_row_that_cannot_be_used_is_rejected_alone(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "link").symlink_to(tmp_path)
    rows = read(tmp_path, {"turn": 5}, row, videos=tmp_path / "videos")
    assert [type(found) for found in rows] == [Utterance, Rejected]
    reject = rows[1]
    assert isinstance(reject, Rejected)
    assert (reject.stage, reject.reason) == ("ingest", reason)
    assert reject.detail.startswith("row 2: ")
    assert len(reject.detail) < 300
    assert reject.utterance_id.count("/") == 3


def test_an_id_twice_and_times_that_run_backwards(tmp_path: Path) -> None:
    def at(turn: int, start: float, video: str = "a.mp4") -> dict[str, Any]:
        return {"turn": turn, "video": video, "start_s": start, "end_s": start + 2}

    lines = [at(0, 5), at(0, 5), at(1, 4), at(2, 6), at(3, 1, "b.mp4"), at(4, 5.5), at(5, 6)]
    rows = read(tmp_path, *lines, videos=tmp_path)
    kept = [(row.source_utterance_id, row.turn) for row in rows if isinstance(row, Utterance)]
    assert kept == [("0", 0), ("2", 1), ("3", 2), ("5", 3)]
    assert [(row.utterance_id[-1], row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("0", "duplicate_id"),
        ("1", "times_backwards"),
        ("4", "times_backwards"),
    ]


def test_a_ragged_row_is_rejected(tmp_path: Path) -> None:
    path = write(tmp_path, {})
    path.write_text(path.read_text() + "train,a,1\n")
    rows = list(table.read(path, "meld"))
    assert [getattr(row, "reason", None) for row in rows] == [None, "bad_row"]


@pytest.mark.parametrize("labels", ["meld", "emorynlp", "iemocap"])
def test_each_label_set(tmp_path: Path, labels: str) -> None:
    rows = list(table.read(write(tmp_path, {"emotion": "neutral"}), labels))
    assert [row.utterance_id for row in rows] == [f"table-{labels}/train/a/0"]
    assert isinstance(rows[0], Utterance)


CELL = st.one_of(st.sampled_from(["train", "test", "0", "1", "joy", "a.mp4", "../a", "1.5", "nan", ""]), st.text())
ROWS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, CELL)), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_whatever_the_cells_hold_each_row_is_an_utterance_or_a_reject(rows: list[dict[str, str]]) -> None:
    rows = [{name: cell.encode("utf-8", "replace").decode() for name, cell in row.items()} for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        found = read(Path(folder), *rows, videos=Path(folder))
    assert len(found) == len(rows)
    kept = [row for row in found if isinstance(row, Utterance)]
    assert len({row.utterance_id for row in kept}) == len(kept)
    for row in kept:
        assert row.utterance_id.split("/") == ["table-meld", row.split, row.dialogue_id, row.source_utterance_id]
        assert row.text
        assert row.text.isprintable() or any(char.isprintable() for char in row.text)
        assert ".." not in Path(row.video or "a").parts
        if row.start_s is not None and row.end_s is not None:
            assert 0 <= row.start_s < row.end_s < math.inf
    dialogues = {(row.split, row.dialogue_id) for row in kept}
    for name in dialogues:
        turns = [row.turn for row in kept if (row.split, row.dialogue_id) == name]
        assert turns == list(range(len(turns)))
