"""Times, damage and skipping, on files of which the truth is known."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import av
import pytest
from video_clips import FFMPEG, moving, scene, three_shots, write_clip

from model.errors import VideoError
from tasks.video import decode
from tasks.video import open as opening
from tasks.video.decode import Decoder
from tasks.video.open import open_video


def times(path: Path, fast: bool = False) -> list[float]:
    with open_video(path.parent, path.name, 10**7, 600) as video:
        return [picture.time_s for picture in Decoder(video, fast).pictures()]


def test_times_are_those_of_the_frames(tmp_path: Path) -> None:
    ticks = [0, 40, 100, 500, 520, 900, 2000]
    path = write_clip(tmp_path / "vfr.mkv", moving(scene(1), 7), ticks=ticks)
    assert times(path) == pytest.approx([tick / 1000 for tick in ticks], abs=0.002)


def test_a_start_offset_is_taken_away(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.mp4")
    late = tmp_path / "late.ts"
    command = [FFMPEG, "-v", "error", "-i", tmp_path / "a.mp4", "-c", "copy", "-output_ts_offset", "100", late]
    subprocess.run(command, check=True)
    assert times(late) == pytest.approx(times(tmp_path / "a.mp4"), abs=0.01)


def test_fast_decodes_fewer_frames_at_the_same_times(tmp_path: Path) -> None:
    path = three_shots(tmp_path / "a.mp4")
    every, some = times(path), times(path, fast=True)
    assert len(every) == 72
    assert 12 <= len(some) < 60
    assert set(some) < set(every)


def test_damage_marks_frames_up_to_the_next_key_frame(tmp_path: Path) -> None:
    images = [image for seed in range(4) for image in moving(scene(seed, 640, 360), 24)]
    path = write_clip(tmp_path / "a.mkv", images, gop=24, options={"bf": "0", "sc_threshold": "0"})
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = packets[30]
    data = bytearray(path.read_bytes())
    data[position + size // 4 : position + size] = bytes(b"\x55" * (size - size // 4))
    path.write_bytes(data)
    with open_video(tmp_path, "a.mkv", 10**7, 600) as video:
        decoder = Decoder(video, fast=False)
        suspect = [round(picture.time_s * 24) for picture in decoder.pictures() if picture.suspect]
    assert decoder.broken
    assert suspect, "damage was noticed"
    assert set(suspect) <= set(range(30, 48)), "and only the stretch that depends on it is marked"
    assert suspect[-1] == 47


def test_a_file_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    path = three_shots(tmp_path / "a.mp4")
    subprocess.run(
        [FFMPEG, "-v", "error", "-i", path, "-c", "copy", "-movflags", "faststart", tmp_path / "b.mp4"], check=True
    )
    whole = (tmp_path / "b.mp4").read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) * 3 // 5])
    with open_video(tmp_path, "half.mp4", 10**7, 600) as video:
        decoder = Decoder(video, fast=False)
        shown = sum(1 for _ in decoder.pictures())
    assert decoder.broken
    assert 5 < shown < 72


@pytest.mark.parametrize("limit", ["PACKETS", "BYTES"])
def test_a_stream_of_more_than_its_time_can_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    path = three_shots(tmp_path / "a.mkv")
    monkeypatch.setattr(opening, f"SPARE_{limit}", 10)
    monkeypatch.setattr(opening, f"{limit}_PER_S", 3)
    with pytest.raises(VideoError, match="packets of") as caught:
        times(path)
    assert caught.value.reason == "too_dense"


def test_a_long_run_of_packets_without_a_picture_ends_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = three_shots(tmp_path / "a.mkv", gop=24, options={"bf": "0"})
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for position, size in packets[24:48]:
        data[position + 4 : position + 4 + size] = bytes(size)
    path.write_bytes(data)
    assert max(times(path)) > 2.5
    monkeypatch.setattr(decode, "BARREN_PACKETS", 20)
    assert max(times(path)) < 1.0


def test_a_stream_that_joins_later_ends_the_file_and_not_the_program(tmp_path: Path) -> None:
    three_shots(tmp_path / "a.ts")
    sound = ["-f", "lavfi", "-i", "sine=d=3", "-c:v", "copy", "-c:a", "aac", str(tmp_path / "b.ts")]
    subprocess.run([FFMPEG, "-v", "error", "-i", str(tmp_path / "a.ts"), *sound], check=True)
    (tmp_path / "both.ts").write_bytes((tmp_path / "a.ts").read_bytes() * 40 + (tmp_path / "b.ts").read_bytes())
    assert len(times(tmp_path / "both.ts")) >= 72


def test_skipping_lands_before_the_time_and_only_where_it_pays(tmp_path: Path) -> None:
    images = [image for seed in range(20) for image in moving(scene(seed), 24)]
    write_clip(tmp_path / "a.mp4", images, gop=24)
    with open_video(tmp_path, "a.mp4", 10**7, 600) as video:
        decoder = Decoder(video, fast=False)
        pictures = decoder.pictures()
        assert next(pictures).time_s == 0.0
        assert not decoder.skip_to(2.0), "as cheap to decode on"
        assert decoder.skip_to(15.5)
        assert 14.5 < next(pictures).time_s <= 15.5
        assert not decoder.skip_to(3.0), "never back"
        assert round(max(picture.time_s for picture in pictures), 2) == 19.96


def test_an_index_that_points_nowhere_does_not_end_the_file(tmp_path: Path) -> None:
    images = [image for seed in range(10) for image in moving(scene(seed, 96, 64), 24)]
    data = bytearray(write_clip(tmp_path / "a.avi", images, gop=24).read_bytes())
    struct.pack_into("<I", data, data.rindex(b"idx1") + 16, 0x10000)
    (tmp_path / "a.avi").write_bytes(data)
    with open_video(tmp_path, "a.avi", 10**7, 600) as video:
        decoder = Decoder(video, fast=False)
        pictures = decoder.pictures()
        assert next(pictures).time_s < 0.1
        assert not decoder.skip_to(9.0)
        assert list(pictures) == []
