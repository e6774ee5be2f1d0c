from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.dialogue import SPLITS, Rejected, Utterance
from model.emotions import labels
from tasks.corpora import subtitles

ONE = "1\n00:00:01,000 --> 00:00:02,000\nAna: [joy] Hi.\n"


def write(folder: Path, **files: str | bytes) -> Path:
    """A corpus of one cue a split; ``files`` are SRT files of train in its place."""
    for split in SPLITS:
        (folder / split).mkdir(exist_ok=True)
        (folder / split / "a.srt").write_text(ONE)
    for name, content in files.items():
        (folder / "train" / f"{name}.srt").write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def train(folder: Path, videos: Path | None = None) -> list[Utterance | Rejected]:
    return [row for row in subtitles.read(folder, "meld", videos) if "/train/" in row.utterance_id]


def test_a_cue_becomes_an_utterance(tmp_path: Path) -> None:
    (write(tmp_path) / "train" / "a.webm").write_text("")
    expected = Utterance(
        utterance_id="subtitles-meld/train/a/1",
        corpus="subtitles-meld",
        split="train",
        dialogue_id="a",
        turn=0,
        source_utterance_id="1",
        speaker="Ana",
        text="Hi.",
        emotion="joy",
        video="train/a.webm",
        start_s=1.0,
        end_s=2.0,
    )
    assert train(tmp_path, tmp_path) == [expected]
    (text_only,) = train(tmp_path)
    assert isinstance(text_only, Utterance)
    assert (text_only.video, text_only.start_s, text_only.end_s) == (None, None, None)
    rows = list(subtitles.read(tmp_path, "meld", tmp_path))
    assert [(row.split, row.video, row.start_s) for row in rows if isinstance(row, Utterance)] == [
        ("train", "train/a.webm", 1.0),
        ("dev", None, None),
        ("test", None, None),
    ]


def cue(number: int, start: int, text: str, end: int | None = None) -> str:
    return f"{number}\n00:00:{start:02},000 --> 00:00:{end or start + 3:02},000\n{text}\n\n"


def test_damaged_cues_cost_themselves_alone(tmp_path: Path) -> None:
    texts = [
        cue(1, 1, "Ana: [joy] One."),
        cue(2, 2, "Ben: [sadness] Two, over One."),
        cue(3, 1, "Ana: [joy] Three."),
        cue(4, 9, "Ana: Four."),
        cue(5, 3, "Ana: [rage] Five."),
        cue(6, 4, "Ana: [joy] Six.", end=2),
        "and so on\n\n",
        cue(7, 2, "[fear] Seven."),
    ]
    rows = train(write(tmp_path, a="".join(texts)))
    kept = [(row.source_utterance_id, row.turn, row.speaker, row.text) for row in rows if isinstance(row, Utterance)]
    assert kept == [
        ("1", 0, "Ana", "One."),
        ("2", 1, "Ben", "Two, over One."),
        ("7", 2, "Unknown", "Seven."),
    ]
    rejects = [row for row in rows[3:] if isinstance(row, Rejected)]
    assert [(row.utterance_id.removeprefix("subtitles-meld/train/a/"), row.reason) for row in rejects] == [
        ("3", "times_backwards"),
        ("4", "unlabelled"),
        ("5", "unknown_label"),
        ("6", "end_before_start"),
        ("line-25", "stray_text"),
    ]
    assert rejects[0].detail == ("a.srt, line 10: it starts at 1 s, a cue before it at 2 s; correct the file")


@pytest.mark.parametrize("content", ["", "\n\n", "WEBVTT\n", "WEBVTT\n\nNOTE nothing\n"])
def test_a_file_without_a_cue_is_told(tmp_path: Path, content: str) -> None:
    rows = train(write(tmp_path, b=content))
    assert [(row.utterance_id, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("subtitles-meld/train/b/file", "no_cues")
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    text = ONE.replace("Hi.", "I’m at the café…")
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    (row,) = train(write(tmp_path, a=(mark + text).encode(encoding)))
    assert isinstance(row, Utterance)
    assert row.text == "I’m at the café…"


def test_utf_16_without_its_mark_is_refused(tmp_path: Path) -> None:
    rows = train(write(tmp_path, a=ONE.encode("utf-16-le")))
    assert rows
    assert all(isinstance(row, Rejected) for row in rows)


@pytest.mark.parametrize("name", ["meld", "emorynlp", "iemocap", "iemocap8"])
def test_each_label_set(tmp_path: Path, name: str) -> None:
    (row, *_) = subtitles.read(write(tmp_path, a=ONE.replace("joy", "neutral")), name)
    assert isinstance(row, Utterance)
    assert row.corpus == f"subtitles-{name}"


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_give_rows_and_never_nothing(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = train(write(Path(folder), a=data))
    assert rows
    assert len({row.utterance_id for row in rows}) == len(rows)
    assert all(row.utterance_id.count("/") == 3 for row in rows)
    turns = [row.turn for row in rows if isinstance(row, Utterance)]
    assert turns == list(range(len(turns)))


SAID = st.lists(st.text("abcdé.!?'", min_size=1, max_size=6), min_size=1, max_size=8)
CUES = st.lists(
    st.tuples(
        st.integers(0, 9_000_000),
        st.integers(1, 9_000_000),
        st.text("ABCÉ", min_size=1, max_size=8),
        SAID,
        st.sampled_from(labels("meld")),
        st.sampled_from([" ", "\n"]),
    ),
    min_size=1,
    max_size=8,
)


def stamp(thousandths: int, comma: str) -> str:
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{comma}{rest % 1000:03}"


@settings(max_examples=60, deadline=None)
@given(CUES, st.booleans())
def test_a_written_file_is_read_as_it_was_meant(
    found: list[tuple[int, int, str, list[str], str, str]], vtt: bool
) -> None:
    found = sorted(found)
    text = "WEBVTT\n\n" if vtt else ""
    for number, (start, length, name, said, label, gap) in enumerate(found, 1):
        times = f"{stamp(start, '.' if vtt else ',')} --> {stamp(start + length, '.' if vtt else ',')}"
        text += f"{number}\n{times}\n{name}: [{label}] {gap.join(said)}\n\n"
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), a=text)
        (Path(folder) / "train" / "a.mov").write_text("")
        rows = train(Path(folder), Path(folder))
    assert [row for row in rows if isinstance(row, Rejected)] == []
    assert [
        (row.turn, row.start_s, row.end_s, row.speaker, row.text, row.emotion)
        for row in rows
        if isinstance(row, Utterance)
    ] == [
        (turn, start / 1000, (start + length) / 1000, name, " ".join(said), label)
        for turn, (start, length, name, said, label, _) in enumerate(found)
    ]
