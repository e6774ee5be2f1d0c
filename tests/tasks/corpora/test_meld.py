from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import meld

HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
TIMES = '8,21,"00:16:16,059","00:16:21,731"'
REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent")) / "meld"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three transcripts in MELD's form, with a gap in the ids and rows out of order."""
    lines = [
        f'1,"Well, I’m ""here""!",Joey,joy,positive,0,3,{TIMES}',
        f"2,Why?,The Doctor,neutral,neutral,0,0,{TIMES}",
        f"3,Hm.,Joey,Surprise,odd,5,1,{TIMES}",
        f"4,Oh.,Joey,excited,positive,5,2,{TIMES}",
    ]
    for path in meld.transcripts(tmp_path).values():
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_a_row_becomes_an_utterance(folder: Path) -> None:
    rows = [row for row in meld.read(folder) if isinstance(row, Utterance)]
    assert [(row.utterance_id, row.turn) for row in rows[:3]] == [
        ("meld/train/0/0", 0),
        ("meld/train/0/3", 1),
        ("meld/train/5/1", 0),
    ]
    assert rows[1] == Utterance(
        utterance_id="meld/train/0/3",
        corpus="meld",
        split="train",
        dialogue_id="0",
        turn=1,
        source_utterance_id="3",
        speaker="Joey",
        text='Well, I’m "here"!',
        emotion="joy",
        sentiment="positive",
    )
    assert (rows[2].emotion, rows[2].sentiment) == ("surprise", None)
    assert Counter(row.split for row in rows) == {"train": 3, "dev": 3, "test": 3}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_windows_apostrophes_as_characters_or_as_bytes(tmp_path: Path, encoding: str) -> None:
    for path in meld.transcripts(tmp_path).values():
        path.write_bytes(f"{HEADER}1,I\u0092m Zoë\u0085,Zoë,joy,positive,0,0,{TIMES}\n".encode(encoding))
    (row, *_) = meld.read(tmp_path)
    assert isinstance(row, Utterance)
    assert (row.text, row.speaker) == ("I’m Zoë…", "Zoë")


def test_an_unknown_label_is_rejected_by_its_own_id(folder: Path) -> None:
    rejects = [row for row in meld.read(folder) if isinstance(row, Rejected)]
    assert [(row.utterance_id, row.reason) for row in rejects] == [
        (f"meld/{split}/5/2", "unknown_label") for split in ("train", "dev", "test")
    ]


def test_clips_are_named_only_where_videos_are_given(folder: Path) -> None:
    def clips(videos: Path | None) -> list[str | None]:
        return [row.video for row in meld.read(folder, videos) if isinstance(row, Utterance) and row.turn == 1]

    assert clips(None) == [None, None, None]
    assert clips(folder / "videos") == [
        "train_splits/dia0_utt3.mp4",
        "dev_splits_complete/dia0_utt3.mp4",
        "output_repeated_splits_test/dia0_utt3.mp4",
    ]
    (folder / "videos" / "dev" / "dev_splits_complete").mkdir(parents=True)
    assert clips(folder / "videos")[1] == "dev/dev_splits_complete/dia0_utt3.mp4"


def test_times_are_the_episodes_and_stay_out(folder: Path) -> None:
    assert all(row.start_s is None and row.end_s is None for row in meld.read(folder) if isinstance(row, Utterance))


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("00:16:16,059", "00:16:21,731", 5.672),
        ("0:12:32.5", "0:12:33", 0.5),
        ("0:12:32,632", "0:12:32,632", None),
        ("00:00:05,000", "00:00:04,000", None),
        ("00:99:00", "01:40:00", None),
        ("", "0:00:01", None),
        ("nan", "inf", None),
    ],
)
def test_how_long_a_line_lasts(folder: Path, start: str, end: str, seconds: float | None) -> None:
    rows = f'1,Hi.,Joey,joy,positive,0,0,8,21,"{start}","{end}"\n2,Oh.,Joey,rage,positive,0,1,{TIMES}\n'
    for path in meld.transcripts(folder).values():
        path.write_text(HEADER + rows)
    ids = [f"meld/{split}/0/0" for split in ("train", "dev", "test")]
    assert meld.spoken_seconds(folder) == ({} if seconds is None else dict.fromkeys(ids, seconds))


def test_a_missing_column_names_what_was_found(folder: Path) -> None:
    meld.transcripts(folder)["dev"].write_text("Utterance,Speaker\nHi,Joey\n")
    with pytest.raises(CorpusError, match=r"dev_sent_emo\.csv has no column Emotion.*found: Utterance, Speaker"):
        list(meld.read(folder))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real MELD is not here: set DIALOGUELLM_TEST_DATA")
def test_the_real_files_have_the_published_counts() -> None:
    rows = list(meld.read(REAL))
    found = [row for row in rows if isinstance(row, Utterance)]
    assert len(found) == len(rows)
    assert Counter(row.split for row in found) == {"train": 9989, "dev": 1109, "test": 2610}
    assert len({(row.split, row.dialogue_id) for row in found}) == 1038 + 114 + 280
    assert Counter(row.emotion for row in found if row.split == "test") == {
        "neutral": 1256,
        "joy": 402,
        "anger": 345,
        "surprise": 281,
        "sadness": 208,
        "disgust": 68,
        "fear": 50,
    }
    assert max(row.turn for row in found) == 32
    assert len(meld.spoken_seconds(REAL)) == len(found) - 1  # meld/test/155/3 ends when it starts
