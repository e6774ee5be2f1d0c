"""Findings of video files: each kind of bad file is one row, and the good ones are silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from video_clips import black, moving, real_data, scene, three_shots, write_clip, write_sound

from model.dialogue import Utterance
from tasks import check_videos
from tasks.check_text import Finding
from tasks.keyframes import KeyframesSettings

ONE = KeyframesSettings(workers=1)


def line(number: int, video: str | None) -> Utterance:
    name = f"meld/train/0/{number}"
    return Utterance(name, "meld", "train", "0", number, str(number), "Ana", "Hi.", "joy", video=video)


def look(root: Path, *videos: str | None, spoken: float | None = None, whole: bool = False) -> list[Finding]:
    rows = [line(number, video) for number, video in enumerate(videos)]
    times = {row.utterance_id: spoken for row in rows if spoken is not None}
    return list(check_videos.all_of(rows, root, ONE, times, whole=whole))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    (root / "train").mkdir()
    three_shots(root / "train" / "good.mp4")
    write_sound(root / "train" / "sound.mp4")
    (root / "train" / "text.mp4").write_text("#EXTM3U\nfile:///etc/passwd\n")
    write_clip(root / "train" / "long.mp4", moving(black(64, 64), 70), rate=1)
    write_clip(root / "train" / "wide.mp4", moving(black(64, 64), 30), rate=1)
    write_clip(root / "train" / "short.mp4", moving(scene(1, 64, 64), 6))
    write_clip(root / "train" / "picture.mp4", moving(scene(1, 64, 64), 1))
    return root


def test_good_files_say_nothing(clips: Path) -> None:
    assert look(clips, "train/good.mp4", "train/good.mp4") == []
    assert look(clips, "train/good.mp4", spoken=2.5) == []


def test_every_bad_file_is_an_error_of_its_own_kind(clips: Path) -> None:
    names = ["train/gone.mp4", "train/sound.mp4", "train/text.mp4", "../x.mp4", "train/good.mp4", None]
    assert {(item.level, item.check, item.id) for item in look(clips, *names)} == {
        ("error", "missing_video", "train/gone.mp4"),
        ("error", "no_video_stream", "train/sound.mp4"),
        ("error", "not_a_video", "train/text.mp4"),
        ("error", "outside_root", "../x.mp4"),
        ("error", "no_video_named", "meld/train/0/5"),
    }


@pytest.mark.parametrize(
    ("video", "spoken", "expected"),
    [
        ("train/long.mp4", None, [("error", "mis_cut")]),
        ("train/long.mp4", 69.0, [("error", "mis_cut")]),
        ("train/wide.mp4", 2.0, [("warning", "over_long")]),
        ("train/wide.mp4", None, []),
        ("train/good.mp4", 0.5, [("info", "length_differs")]),
        ("train/good.mp4", 20.0, [("warning", "too_short")]),
        ("train/picture.mp4", None, [("warning", "too_short")]),
        ("train/short.mp4", 0.006, []),
    ],
)
def test_lengths(clips: Path, video: str, spoken: float | None, expected: list[tuple[str, str]]) -> None:
    assert [(item.level, item.check) for item in look(clips, video, spoken=spoken)] == expected


def test_a_file_of_many_lines_is_not_held_against_one(clips: Path) -> None:
    assert look(clips, "train/wide.mp4", "train/wide.mp4", spoken=2.0) == []
    assert look(clips, "train/wide.mp4", "train/wide.mp4") == []
    part = replace(line(0, "train/long.mp4"), start_s=3.0, end_s=5.0)
    assert list(check_videos.all_of([part], clips, ONE, {}, whole=False)) == []


def test_check_foretells_what_keyframes_rejects_as_mis_cut(clips: Path) -> None:
    found = look(clips, "train/long.mp4", "train/long.mp4")
    assert [(item.level, item.check) for item in found] == [("error", "mis_cut")] * 2
    assert "keyframes.max_line_seconds" in found[0].detail
    rows = [replace(line(0, "train/long.mp4"), start_s=1.0, end_s=2.0), replace(line(1, "train/long.mp4"), start_s=5.0)]
    (one,) = check_videos.all_of(rows, clips, ONE, {}, whole=False)
    assert (one.level, one.check, one.id) == ("error", "mis_cut", rows[1].utterance_id)
    longer = ONE.model_copy(update={"max_line_seconds": 80.0})
    assert list(check_videos.all_of([line(0, "train/long.mp4")], clips, longer, {}, whole=False)) == []


def test_a_long_file_is_no_fault_where_lines_are_stretches_of_it(clips: Path) -> None:
    rows = [replace(line(n, "train/long.mp4"), start_s=start, end_s=start + 2) for n, start in enumerate((3.0, 69, 70))]
    assert list(check_videos.all_of(rows[:1], clips, ONE, {}, whole=False)) == []
    (found,) = check_videos.all_of(rows, clips, ONE, {}, whole=False)
    assert (found.level, found.check, found.id) == ("error", "outside_video", rows[2].utterance_id)
    (many,) = check_videos.too_many(rows, [found], 0.3)
    assert many.detail.startswith("1 of 3 lines have no usable video")
    assert found.detail == "it starts at 70 s, and train/long.mp4 ends at 70.0 s: is that its video?"
    gone = [replace(row, video="train/gone.mp4") for row in rows]
    (lost,) = check_videos.all_of(gone, clips, ONE, {}, whole=False)
    (many,) = check_videos.too_many(gone, [lost], 0.9)
    assert (lost.check, many.detail[:7]) == ("missing_video", "3 of 3 ")


def test_a_line_without_times_is_told_where_the_others_have_them(clips: Path) -> None:
    rows = [line(0, "train/good.mp4"), line(1, "train/good.mp4")]
    found = list(check_videos.all_of(rows, clips, ONE, {rows[0].utterance_id: 3.0}, whole=False))
    assert [(item.check, item.id) for item in found] == [("no_times", rows[1].utterance_id)]


def test_extra_files_are_counted_for_a_whole_corpus(clips: Path) -> None:
    assert look(clips, "train/good.mp4", "nowhere/a.mp4", whole=True)[1:] == [
        Finding(
            "info",
            "extra_files",
            "train",
            "6 files that no line names: long.mp4, picture.mp4, short.mp4, sound.mp4, text.mp4, …",
        )
    ]
    assert look(clips, "train/good.mp4") == []
    for name in ("good.srt", "good.VTT"):
        (clips / "train" / name).write_text("beside the videos")
    assert len(look(clips, "train/good.mp4", whole=True)) == 1
    assert "6 files" in look(clips, "train/good.mp4", whole=True)[0].detail


def test_bad_times_are_an_error(clips: Path) -> None:
    row = replace(line(0, "train/good.mp4"), start_s=3.0, end_s=1.0)
    (found,) = check_videos.all_of([row], clips, ONE, {}, whole=False)
    assert (found.level, found.check, found.id) == ("error", "bad_times", row.utterance_id)


def test_lines_that_are_lost_count_against_the_limit(clips: Path) -> None:
    rows = [line(number, "train/good.mp4" if number else "train/gone.mp4") for number in range(4)]
    found = list(check_videos.all_of(rows, clips, ONE, {}, whole=False))
    assert [item.check for item in found] == ["missing_video"]
    assert list(check_videos.too_many(rows, found, 0.25)) == list(check_videos.too_many([], [], 0.0)) == []
    assert list(check_videos.too_many(rows[:3], found, 0.25)) == [
        Finding(
            *("error", "too_many_rejects", "keyframes"),
            "1 of 3 lines have no usable video, over keyframes.max_rejects = 0.25: a run stops",
        )
    ]


def test_progress_counts_files(clips: Path) -> None:
    steps: list[tuple[int, int, str]] = []
    rows = [line(0, "train/good.mp4"), line(1, "train/short.mp4")]
    list(check_videos.all_of(rows, clips, ONE, {}, whole=False, progress=lambda *step: steps.append(step)))
    assert steps == [(1, 2, "clips"), (2, 2, "clips")]


def test_real_files_open() -> None:
    root = real_data("videos")
    names = sorted(path.name for path in root.iterdir())
    found = look(root, *names, whole=True)
    assert {item.level for item in found} <= {"info", "warning"}
