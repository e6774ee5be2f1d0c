"""Sound but unusual files: coders, times, sizes, streams and names."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from faults.bad_videos import FRAMES, Collection, Kit, link, run
from faults.boxes import edited, table
from faults.broken import packets
from video_clips import moving, scene, write_clip, write_sound

odd = Collection()

CODED: dict[str, list[str]] = {
    "hevc.mp4": ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"],
    "vp8.webm": ["libvpx", "-deadline", "realtime", "-cpu-used", "8"],
    "vp9.webm": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8"],
    "av1.mp4": ["libaom-av1", "-usage", "realtime", "-cpu-used", "8"],
    "mpeg1.ts": ["mpeg1video"],
    "mpeg2.ts": ["mpeg2video"],
    "mpeg4.avi": ["mpeg4"],
    "msmpeg4.avi": ["msmpeg4v2"],
    "mjpeg.avi": ["mjpeg", "-strict", "-1"],
    "prores.mov": ["prores_ks", "-profile:v", "0"],
    "interlaced.mp4": ["libx264", "-preset", "ultrafast", "-flags", "+ildct+ilme", "-x264-params", "tff=1"],
    "interlaced_mpeg2.ts": ["mpeg2video", "-flags", "+ildct+ilme"],
    "rgb.mkv": ["libx264rgb", "-preset", "ultrafast"],
    "grey.mkv": ["libx264", "-preset", "ultrafast", "-pix_fmt", "gray"],
    "grey_12_bit.mp4": ["libx265", "-preset", "ultrafast", "-x265-params", "log-level=none", "-pix_fmt", "gray12le"],
    "see_through.mov": ["prores_ks", "-profile:v", "4", "-pix_fmt", "yuva444p10le"],
    "dv.avi": ["dvvideo", "-s", "720x576", "-r", "25", "-pix_fmt", "yuv420p"],
    "cinepak.avi": ["cinepak", "-frames:v", "3"],
    "ten_bit.mkv": ["libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"],
}
for _name, _options in CODED.items():
    odd(_name, FRAMES, f"coded by {_options[0]}")(
        lambda kit, path, options=_options: run("-i", kit.clip, "-t", "1", "-c:v", *options, path)
    )

NAMES = (
    "with space.mp4",
    "ünï-漢字.mp4",
    "😀.mp4",
    "%03d.mp4",
    "a:b.mp4",
    "-i.mp4",
    'it\'s "quoted".mp4',
    "new\nline\x1b[31m.mp4",
    "$(id)`id`;&|.mp4",
    "concat:clip.mp4",
    "data:,video.mp4",
    "no_ending",
    "webm_in_truth.txt",
    "x" * 251 + ".mp4",
    os.fsdecode(b"latin-1-\xe9\xff.mp4"),
)
for _name in NAMES:
    odd(_name, FRAMES, "a sound file of this name")(lambda kit, path: link(kit.clip, path))


@odd("webm.mp4", FRAMES, "Matroska under another name")
def _disguised(kit: Kit, path: Path) -> None:
    link(kit.mkv, path)


@odd("sound.mp4", "no_video_stream", "sound alone")
@odd("sound.mkv", "no_video_stream", "sound alone")
def _sound(_: Kit, path: Path) -> None:
    write_sound(path)


@odd("cover.mp3", "not_a_video", "music with a picture")
@odd("cover.mp4", "no_video_stream", "music with a picture")
def _cover(kit: Kit, path: Path) -> None:
    sound, cover = write_sound(kit.outside / "sound.mp4"), kit.outside / "cover.png"
    write_clip(cover, [scene(1)], codec="png", pixels="rgb24")
    coders = ["-c:a", "libmp3lame" if path.suffix == ".mp3" else "copy", "-c:v", "mjpeg"]
    run("-i", sound, "-i", cover, "-map", "0", "-map", "1", *coders, "-disposition:v:0", "attached_pic", path)


@odd("subtitles.mkv", "no_video_stream", "subtitles alone")
def _subtitles(kit: Kit, path: Path) -> None:
    (kit.outside / "a.srt").write_text("1\n00:00:00,000 --> 00:00:02,000\nHello.\n")
    run("-i", kit.outside / "a.srt", path)


@odd("variable_rate.mkv", FRAMES, "frames at uneven times")
def _variable_rate(_: Kit, path: Path) -> None:
    write_clip(path, moving(scene(1), 7), ticks=[0, 40, 100, 500, 520, 900, 2000])


@odd("one_frame.mp4", FRAMES, "a single frame")
def _one_frame(_: Kit, path: Path) -> None:
    write_clip(path, [scene(1)])


@odd("one_by_one.mkv", FRAMES, "two pixels by two")
def _tiny(_: Kit, path: Path) -> None:
    write_clip(path, moving(scene(1, 2, 2), 5), codec="mpeg4")


@odd("rotated.mp4", FRAMES, "filmed upright")
def _rotated(kit: Kit, path: Path) -> None:
    run("-display_rotation", "90", "-i", kit.clip, "-c", "copy", path)


@odd("two_videos.mp4", FRAMES, "a stream of 16 × 16 pixels comes first")
def _two_videos(kit: Kit, path: Path) -> None:
    small = write_clip(kit.outside / "small.mp4", moving(scene(4, 16, 16), 48))
    run("-i", small, "-i", kit.clip, "-map", "0", "-map", "1", "-c", "copy", path)


@odd("size_changes.ts", FRAMES, "another picture size half-way")
def _size_changes(kit: Kit, path: Path) -> None:
    larger = write_clip(kit.outside / "larger.ts", moving(scene(2, 640, 360), 24))
    path.write_bytes(kit.remuxed("same.ts").read_bytes() + larger.read_bytes())


@odd("starts_at_100.ts", FRAMES, "times that begin at 100 s")
@odd("starts_at_100.mkv", FRAMES, "times that begin at 100 s")
def _starts_at_100(kit: Kit, path: Path) -> None:
    run("-i", kit.clip, "-c", "copy", "-output_ts_offset", "100", path)


@odd("times_negative.mkv", FRAMES, "the first frames before zero")
@odd("times_repeated.mkv", FRAMES, "the same time for all frames of a second")
@odd("times_backwards.mkv", FRAMES, "times that fall")
@odd("times_far_apart.mkv", FRAMES, "times that jump to and fro")
def _times(kit: Kit, path: Path) -> None:
    change = {
        "times_negative.mkv": lambda at: at * 40 - 500,
        "times_repeated.mkv": lambda _: 7,
        "times_backwards.mkv": lambda at: 3000 - at * 40,
        "times_far_apart.mkv": lambda at: 32767 if at % 2 else -32768,
    }[path.name]
    data = bytearray(kit.mkv.read_bytes())
    for at, (place, _) in enumerate(packets(kit.mkv)[:72]):  # track, two bytes of time, flags, then the picture
        struct.pack_into(">h", data, place + 1, change(at))
    path.write_bytes(data)


@odd("times_all_zero.mp4", FRAMES, "an index of frames that take no time")
def _all_zero(kit: Kit, path: Path) -> None:
    path.write_bytes(edited(kit.clip.read_bytes(), {b"stts": table((72, 0)), b"ctts": table(), b"elst": table()}))


@odd("times_disordered.mp4", "mis_cut", "every second frame nine hours after its turn")
def _disordered(kit: Kit, path: Path) -> None:
    late = table(*[(1, 400_000_000 * (at % 2)) for at in range(72)])
    path.write_bytes(edited(kit.clip.read_bytes(), {b"ctts": late, b"elst": table()}))


@odd("colours.mp4", FRAMES, "colours of a kind that has no number yet")
@odd("colours_ycgco.mp4", "unsupported_codec", "colours of a kind that few can convert")
def _colours(kit: Kit, path: Path) -> None:
    kind = 8 if "ycgco" in path.name else 200
    run("-i", kit.clip, "-c", "copy", "-bsf:v", f"h264_metadata=matrix_coefficients={kind}", path)


@odd("pixels_absurd.mkv", FRAMES, "pixels a thousand times as wide as high")
def _pixels_absurd(kit: Kit, path: Path) -> None:
    run("-i", kit.clip, "-c", "copy", "-aspect", "1777:1", path)
