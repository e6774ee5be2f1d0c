"""Which files are opened, and why the others are not."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest
from faults.boxes import samples
from video_clips import FFMPEG, moving, scene, three_shots, write_clip, write_sound

from model.errors import VideoError
from tasks.video import open as opening
from tasks.video.open import container_format, open_file, open_video
from tasks.video.reasons import ADVICE

PIXELS, SECONDS = 4096 * 2304, 600.0


def reason(root: Path, name: str, pixels: int = PIXELS, seconds: float = SECONDS) -> str:
    with pytest.raises(VideoError) as caught, open_video(root, name, pixels, seconds):
        pass
    assert ADVICE[caught.value.reason] in str(caught.value), "says what to do"
    return caught.value.reason


def test_a_good_file_opens_with_its_facts(tmp_path: Path) -> None:
    three_shots(tmp_path / "a b%03d:é.mp4")
    with open_video(tmp_path, "a b%03d:é.mp4", PIXELS, SECONDS) as video:
        assert video.seconds == pytest.approx(3.0, abs=0.1)
        assert (video.frame_rate, video.aspect, video.start_s) == (24.0, 1, 0.0)
        assert video.stream.codec_context.thread_count == 1


def test_the_descriptor_is_closed_again(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").write_text("not a video")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with open_video(tmp_path, "a.mp4", PIXELS, SECONDS):
        pass
    reason(tmp_path, "b.mp4")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("name", ["", "../a.mp4", "x/../../a.mp4", "/etc/passwd", "a\0.mp4"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    three_shots(tmp_path / "a.mp4")
    assert reason(root, name) == "outside_root"


def test_links_are_followed_inside_the_folder_only(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    three_shots(tmp_path / "secret.mp4")
    three_shots(root / "mine.mp4")
    (root / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (root / "folder").symlink_to(tmp_path)
    (root / "in.mp4").symlink_to("mine.mp4")
    (root / "loop.mp4").symlink_to("loop.mp4")
    assert reason(root, "out.mp4") == "outside_root"
    assert reason(root, "folder/secret.mp4") == "outside_root"
    assert reason(root, "loop.mp4") == "missing_video"
    os.close(open_file(root, "in.mp4"))


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(tmp_path):  # the whole path may be too long for one
        made.bind("socket.mp4")
    assert reason(tmp_path, "socket.mp4") == "not_a_video"
    (tmp_path / "folder.mp4").mkdir()
    assert reason(tmp_path, "pipe.mp4") == "not_a_video"
    assert reason(tmp_path, "folder.mp4") == "not_a_video"
    assert reason(tmp_path, "gone.mp4") == "missing_video"
    assert reason(tmp_path, "x" * 300) == "missing_video"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 5000,
        b"hello, this is text",
        b"ffconcat version 1.0\nfile secret.mp4\n",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/secret.mp4\n",
        b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    ],
)
def test_what_is_no_video_is_refused_whatever_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    assert reason(tmp_path, "a.mp4") == "not_a_video"


def test_a_container_of_garbage_is_undecodable(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"\0\0\0\x20ftypisom" + os.urandom(5000))
    (tmp_path / "b.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(5000))
    assert reason(tmp_path, "a.mp4") == "undecodable"
    assert reason(tmp_path, "b.mkv") == "undecodable"


def test_titles_in_old_encodings_do_no_harm(tmp_path: Path) -> None:
    three_shots(tmp_path / "plain.mp4")
    command = [FFMPEG, "-v", "error", "-i", str(tmp_path / "plain.mp4"), "-c", "copy", "-metadata", "title=Cafe"]
    subprocess.run([*command, str(tmp_path / "a.mkv")], check=True)
    (tmp_path / "a.mkv").write_bytes((tmp_path / "a.mkv").read_bytes().replace(b"Cafe", b"Caf\xe9"))
    with open_video(tmp_path, "a.mkv", PIXELS, SECONDS) as video:
        assert video.seconds == pytest.approx(3.0, abs=0.1)


def test_sound_alone_and_cover_pictures_are_no_video(tmp_path: Path) -> None:
    write_sound(tmp_path / "sound.mp4")
    write_clip(tmp_path / "cover.png", [scene(1)], codec="png", pixels="rgb24")
    inputs = ["-i", tmp_path / "sound.mp4", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1"]
    coded = ["-c:a", "copy", "-c:v", "mjpeg", "-disposition:v:0", "attached_pic", tmp_path / "cover.mp4"]
    subprocess.run([FFMPEG, "-v", "error", *inputs, *coded], check=True)
    assert reason(tmp_path, "sound.mp4") == "no_video_stream"
    assert reason(tmp_path, "cover.mp4") == "no_video_stream"


def test_rare_decoders_are_not_for_strangers(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mkv", [scene(1)] * 3, codec="ffv1")
    assert reason(tmp_path, "a.mkv") == "unsupported_codec"


def test_size_and_length_are_checked_before_decoding(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    assert reason(tmp_path, "a.mp4", pixels=320 * 180 - 1) == "too_large"
    assert reason(tmp_path, "a.mp4", seconds=2.9) == "too_long"


def test_an_index_of_more_than_its_time_can_hold_is_refused(tmp_path: Path) -> None:
    data = three_shots(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "b.mp4").write_bytes(samples(data, 100_000, 1, 1))
    assert reason(tmp_path, "b.mp4") == "too_dense"
    (tmp_path / "c.mp4").write_bytes(samples(data, 100_000, 1, 1200))  # 2.7 hours that call themselves 3 s
    with open_video(tmp_path, "c.mp4", PIXELS, SECONDS) as video:
        assert video.seconds == pytest.approx(3.0, abs=0.1)


def test_more_streams_than_anybody_needs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = ["-i", str(three_shots(tmp_path / "a.mp4")), "-i", str(write_sound(tmp_path / "b.mp4"))]
    subprocess.run([FFMPEG, "-v", "error", *inputs, "-c", "copy", str(tmp_path / "c.mp4")], check=True)
    with open_video(tmp_path, "c.mp4", PIXELS, SECONDS) as video:
        assert len(video.container.streams) == 2
    monkeypatch.setattr(opening, "MOST_STREAMS", 1)
    assert reason(tmp_path, "c.mp4") == "too_large"


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi", "a.ts"])
def test_the_first_bytes_choose_the_container(tmp_path: Path, name: str) -> None:
    three_shots(tmp_path / name, codec="mpeg4")
    (tmp_path / name).rename(tmp_path / "misnamed.txt")
    with open_video(tmp_path, "misnamed.txt", PIXELS, SECONDS) as video:
        assert sum(1 for _ in video.container.decode(video.stream)) == 72


def test_container_format_of_short_heads() -> None:
    assert container_format(b"") is None
    assert container_format(b"RIFF1234WAVE") is None
    assert container_format(b"G" * 100) is None


def test_an_aspect_that_only_the_pictures_tell_is_found(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", moving(scene(1), 4), aspect=Fraction(4, 3))
    assert b"pasp" in path.read_bytes()
    for atom in (b"pasp", b"free"):  # with the container's own word, and without
        path.write_bytes(path.read_bytes().replace(b"pasp", atom))
        with open_video(tmp_path, "a.mp4", PIXELS, SECONDS) as video:
            assert len(list(video.container.decode(video.stream))) == 4, "from the first picture on"
            assert video.aspect == Fraction(4, 3)
