from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from iemocap_release import evaluation, transcription, write_dialogue, write_release
from video_clips import three_shots, which_scene

from model.dialogue import Keyframe, Rejected, Utterance
from model.emotions import labels
from model.errors import CorpusError
from tasks import keyframes
from tasks.corpora.iemocap import CODES, read
from tasks.stage import Context

NAME = "Ses01M_impro01"


def of(release: Path, evaluations: str, transcriptions: str) -> tuple[list[Utterance], list[tuple[str, str]]]:
    """The utterances of one dialogue, and the end of each rejected id with its reason."""
    write_dialogue(release, NAME, evaluations, transcriptions)
    rows = [row for row in read(release) if row.utterance_id.startswith(f"iemocap/train/{NAME}/")]
    rejects = [(row.utterance_id.split("/")[3], row.reason) for row in rows if isinstance(row, Rejected)]
    return [row for row in rows if isinstance(row, Utterance)], rejects


def line(source: str, start: float = 1, end: float = 2, code: str = "neu") -> str:
    return evaluation(f"{NAME}_{source}", start, end, code)


def words(*sources: str) -> str:
    return "".join(transcription(f"{NAME}_{source}", 1, 2, f"Words of {source}.") for source in sources)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return write_release(tmp_path)


def test_a_line_becomes_an_utterance(release: Path) -> None:
    first, second, *_ = read(release, release)
    assert first == Utterance(
        utterance_id=f"iemocap/train/{NAME}/F000",
        corpus="iemocap",
        split="train",
        dialogue_id=NAME,
        turn=0,
        source_utterance_id="F000",
        speaker="Speaker 1F",
        text="Line 0.",
        emotion="neutral",
        video=f"Session1/dialog/avi/DivX/{NAME}.avi",
        start_s=0.5,
        end_s=1.5,
        raters=("E2:neutral", "E3:anger,frustration", "E4:neutral state", "F1:sadness"),
    )
    assert isinstance(second, Utterance)
    assert (second.turn, second.speaker, second.emotion) == (1, "Speaker 1M", "happy")


def test_videos_are_named_only_where_they_are_given(release: Path) -> None:
    assert {row.video for row in read(release) if isinstance(row, Utterance)} == {None}


@pytest.mark.parametrize(("ways", "corpus"), [(4, "iemocap4"), (6, "iemocap"), (8, "iemocap8")])
def test_label_sets(tmp_path: Path, ways: int, corpus: str) -> None:
    rows = list(read(write_release(tmp_path, codes=(*CODES,)), label_set=corpus))
    found = Counter(row.emotion for row in rows if isinstance(row, Utterance))
    assert found.keys() == {*labels(corpus)}
    assert {row.utterance_id.split("/")[0] for row in rows} == {corpus}
    assert found["happy"] == (30 if ways == 4 else 15)
    rejects = [row for row in rows if isinstance(row, Rejected)]
    assert {row.reason for row in rejects} == {"label_not_in_set"}
    assert len(rejects) == 15 * (len(CODES) - ways - (ways == 4))
    assert rejects[-1].detail == f"Ses05M_script01_1: label xxx (no majority) is none of the {ways}"


def test_turns_follow_time_and_not_the_file(release: Path) -> None:
    text = line("M000", 5, 6) + line("F001", 2, 4) + line("M001", 2, 3, "xxx") + line("F000", 0, 9)
    found, rejects = of(release, text, words("F000", "F001", "M000", "M001"))
    assert [(row.turn, row.source_utterance_id) for row in found] == [(0, "F000"), (1, "F001"), (2, "M000")]
    assert rejects == [("M001", "label_not_in_set")]


def test_what_cannot_be_used_is_rejected_with_its_reason(release: Path) -> None:
    evaluated = [
        line("F000"),
        line("F000", 3, 4, "ang"),
        line("F001", 5, 4),
        line("F002", 6, 6),
        line("F003", code="joy"),
        line("F004"),
        evaluation("Ses01M_impro05a_F000", 1, 2),
        evaluation(f"{NAME}_X000", 1, 2),
        "\nhello\n",
    ]
    spoken = words("F000", "F001", "F002", "F003", "MXX0") + words("F000") + "M: [BREATHING]\n"
    found, rejects = of(release, "".join(evaluated), spoken)
    assert [(row.source_utterance_id, row.emotion) for row in found] == [("F000", "neutral")]
    assert sorted(rejects) == [
        ("EmoEvaluation-67", "bad_line"),
        ("F000", "duplicate_id"),
        ("F000", "duplicate_id"),
        ("F001", "bad_times"),
        ("F002", "bad_times"),
        ("F003", "unknown_label"),
        ("F004", "no_transcription"),
        ("MXX0", "no_evaluation"),
        ("Ses01M_impro05a_F000", "bad_id"),
        ("X000", "bad_id"),
        ("transcriptions-7", "bad_line"),
    ]


def test_words_in_another_encoding_are_read(release: Path) -> None:
    found, _ = of(release, line("F000"), transcription(f"{NAME}_F000", 1, 2, "I\udc92m at the caf\udce9."))
    assert found[0].text == "I’m at the café."


@pytest.mark.parametrize("content", [b"", b"\x00" * 99, bytes(range(256)) * 9, "[1.0 - 2.0]".encode("utf-16")])
@pytest.mark.parametrize("kind", ["EmoEvaluation", "transcriptions"])
def test_a_file_without_a_line_is_a_corpus_error(release: Path, content: bytes, kind: str) -> None:
    (release / "Session1" / "dialog" / kind / f"{NAME}.txt").write_bytes(content)
    with pytest.raises(CorpusError, match=rf"{kind}/{NAME}\.txt holds no line of {NAME}"):
        list(read(release))


def test_keyframes_come_from_the_lines_own_stretch_of_the_recording(release: Path) -> None:
    video = release / "Session1" / "dialog" / "avi" / "DivX" / f"{NAME}.avi"
    video.parent.mkdir(parents=True)
    three_shots(video, codec="mpeg4")
    write_dialogue(
        release, NAME, line("F000", 0, 0.9) + line("M000", 2.1, 3) + line("M001", 9, 10), words("F000", "M000", "M001")
    )
    lines = [row for row in read(release, release) if isinstance(row, Utterance) and row.dialogue_id == NAME]
    context = Context(cache=Path(), folder=Path(), videos=release)
    rows = list(keyframes.run({"utterances": lines}, keyframes.KeyframesSettings(workers=1), context))
    frames = [row for row in rows if isinstance(row, Keyframe)]
    assert [(row.utterance_id[-4:], which_scene(row.jpeg, (1, 2, 3))) for row in frames] == [("F000", 1), ("M000", 3)]
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["outside_video"]
