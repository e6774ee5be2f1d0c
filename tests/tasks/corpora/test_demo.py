from __future__ import annotations

from pathlib import Path

import pytest

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora.demo import COLUMNS, read

HEAD = ",".join(COLUMNS)
GOOD = 'train,3,0,0,Mara,"Oh, you came.",joy,positive,train/dia3_utt0.mp4'
LATER = "train,3,2,2,Theo,I did.,neutral,neutral,train/dia3_utt2.mp4"


def corpus(folder: Path, *lines: str) -> Path:
    (folder / "transcript.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_rows_become_utterances_with_contiguous_turns(tmp_path: Path) -> None:
    first, second = read(corpus(tmp_path, HEAD, GOOD, LATER))
    assert first == Utterance(
        *("demo/train/3/0", "demo", "train", "3", 0, "0", "Mara", "Oh, you came.", "joy", "positive"),
        video="train/dia3_utt0.mp4",
    )
    assert isinstance(second, Utterance)
    assert (second.utterance_id, second.turn) == ("demo/train/3/2", 1)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (GOOD.replace("train,3", "valid,3"), "unknown_split"),
        (GOOD.replace("joy", "glee"), "unknown_label"),
        (GOOD.replace("Mara", " "), "missing_value"),
        (GOOD.replace("3,0,0", "3,../0,0"), "bad_id"),
        (GOOD.replace("train/dia3", "../dia3"), "bad_video_path"),
        (GOOD.replace("train/dia3", "/train/dia3"), "bad_video_path"),
        ("train,3,0", "missing_value"),
    ],
)
def test_an_unusable_row_is_rejected_with_its_reason(tmp_path: Path, row: str, reason: str) -> None:
    rejected, kept = read(corpus(tmp_path, HEAD, row, LATER))
    assert isinstance(rejected, Rejected)
    assert (rejected.reason, rejected.stage) == (reason, "ingest")
    assert isinstance(kept, Utterance)
    assert kept.turn == 0


def test_a_repeated_id_is_rejected(tmp_path: Path) -> None:
    rows = list(read(corpus(tmp_path, HEAD, GOOD, GOOD)))
    assert isinstance(rows[1], Rejected)
    assert rows[1].reason == "duplicate"


def test_a_missing_transcript_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"transcript\.csv is missing; render the demo corpus"):
        list(read(tmp_path))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no column sentiment, video"):
        list(read(corpus(tmp_path, HEAD.removesuffix(",sentiment,video"), "train,3,0,0,Mara,Oh.,joy")))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", (HEAD + '\ntrain,"3').encode()])
def test_a_damaged_transcript_is_a_corpus_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "transcript.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=r"transcript\.csv"):
        list(read(tmp_path))
