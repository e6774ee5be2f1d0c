"""Small files that claim, or are, more than they look: in pixels, hours, packets, streams and memory."""

from __future__ import annotations

import struct
from pathlib import Path

from faults.bad_videos import FRAMES, Collection, Kit, run
from faults.boxes import box, edited, samples
from video_clips import black, moving, scene, write_clip

bombs = Collection()

HUGE = "color=black:s=8192x8704:r=1:d=1"


def _doubles(data: bytes, seconds: float) -> bytes:
    """A Matroska file with another duration, which it gives in milliseconds."""
    at = data.index(b"\x44\x89\x88") + 3
    return data[:at] + struct.pack(">d", seconds * 1000) + data[at + 8 :]


@bombs("pixels.mp4", "too_large", "71 million pixels in 0.1 MB")
def _pixels(_: Kit, path: Path) -> None:
    run("-f", "lavfi", "-i", HUGE, "-c:v", "libx264", "-preset", "ultrafast", path)


@bombs("pixels.ts", "too_large", "71 million pixels, told by the stream alone")
def _pixels_in_stream(kit: Kit, path: Path) -> None:
    run("-i", kit.root / "pixels.mp4", "-c", "copy", path)


@bombs("pixels.mkv", "undecodable", "71 million pixels of JPEG, told by the picture alone")
def _pixels_jpeg(_: Kit, path: Path) -> None:
    run("-f", "lavfi", "-i", HUGE, "-c:v", "mjpeg", path)


@bombs("grows.ts", FRAMES, "71 million pixels after three good seconds")
def _grows(kit: Kit, path: Path) -> None:
    path.write_bytes(kit.remuxed("small.ts").read_bytes() + (kit.root / "pixels.ts").read_bytes())


@bombs("claims_pixels.mkv", FRAMES, "a container that gives a small picture 65535 × 65535 pixels")
def _claims_pixels(kit: Kit, path: Path) -> None:
    data = kit.mkv.read_bytes()
    width, height = b"\xb0\x82\x01\x40", b"\xba\x81\xb4"
    assert data.count(width) == data.count(height) == 1
    path.write_bytes(data.replace(width, b"\xb0\x82\xff\xff").replace(height, b"\xba\x81\xff"))


@bombs("day.mp4", "too_long", "24 hours of black in little space")
def _day(_: Kit, path: Path) -> None:
    write_clip(path, [black(64, 64)] * 200, ticks=[at * 432_000 for at in range(200)], codec="mpeg4")


@bombs("mis_cut.mp4", "mis_cut", "70 s for one line")
def _mis_cut(_: Kit, path: Path) -> None:
    write_clip(path, moving(scene(1, 64, 64), 70), rate=1, codec="mpeg4")


@bombs("claims_hours.mkv", "too_long", "three seconds that call themselves 300 hours")
@bombs("claims_nothing.mkv", FRAMES, "three seconds that call themselves none")
@bombs("claims_less_than_nothing.mkv", FRAMES, "three seconds that call themselves minus five")
@bombs("claims_no_number.mkv", FRAMES, "three seconds that call themselves NaN")
@bombs("claims_for_ever.mkv", FRAMES, "three seconds that call themselves infinite")
def _claims(kit: Kit, path: Path) -> None:
    words = {"hours": 1.08e6, "nothing": 0.0, "less_than_nothing": -5.0, "no_number": float("nan")}
    path.write_bytes(_doubles(kit.mkv.read_bytes(), words.get(path.stem.removeprefix("claims_"), float("inf"))))


@bombs("claims_frames.avi", "too_long", "an AVI header of four thousand million frames")
def _claims_frames(kit: Kit, path: Path) -> None:
    data = bytearray(kit.remuxed("frames.avi").read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 8 + 32, 0xFFFF_FFFF)
    path.write_bytes(data)


@bombs("time_jumps.ts", "too_long", "a day between two frames")
@bombs("time_jumps_back.ts", "too_long", "a day back between two frames")
def _time_jumps(kit: Kit, path: Path) -> None:
    now = kit.remuxed("now.ts").read_bytes()
    later = kit.remuxed("later.ts", "-output_ts_offset", "80000").read_bytes()
    path.write_bytes(later + now if "back" in path.name else now + later)


@bombs("one_byte_packets.mp4", "too_dense", "a million packets of one byte in 85 s")
@bombs("one_byte_packets_long.mp4", "too_dense", "a million packets of one byte in 50 minutes")
def _one_byte_packets(kit: Kit, path: Path) -> None:
    data = edited(kit.clip.read_bytes(), {b"mdat": lambda _: bytes(1_000_000)})
    path.write_bytes(samples(data, 1_000_000, 1, 36 if "long" in path.name else 1))


@bombs("one_frame_for_ever.mp4", "too_dense", "an index that shows one key frame 300,000 times")
def _one_frame_for_ever(kit: Kit, path: Path) -> None:
    data = kit.clip.read_bytes()
    index = data[data.index(b"stsz") + 4 :]
    (first,) = struct.unpack_from(">I", index, 12)
    path.write_bytes(samples(data, 1, first, 1, chunks=300_000))


@bombs("index_of_millions.mp4", "undecodable", "4,000 million samples by an index of 20 bytes")
@bombs("index_of_many.mp4", "too_dense", "25 million samples by an index of 20 bytes")
def _index_of_millions(kit: Kit, path: Path) -> None:
    count = 25_000_000 if "many" in path.name else 4_000_000_000
    path.write_bytes(samples(kit.clip.read_bytes(), count, 1, 1))


@bombs("index_repeats.avi", FRAMES, "an AVI index of 300,000 entries, all of one frame")
@bombs("index_is_endless.avi", FRAMES, "an AVI index of 4 GB in its own words")
def _avi_index(kit: Kit, path: Path) -> None:
    data = kit.remuxed(f"whole_{path.name}").read_bytes()
    at = data.rindex(b"idx1")
    entries = data[at + 8 : at + 24] * 300_000 if "repeats" in path.name else data[at + 8 :]
    size = len(entries) if "repeats" in path.name else 0xFFFF_FFF0
    path.write_bytes(data[:at] + b"idx1" + struct.pack("<I", size) + entries)


@bombs("tables_are_endless.mp4", "too_large", "tables that count four thousand million rows and hold none")
def _endless_tables(kit: Kit, path: Path) -> None:
    endless = bytes(4) + b"\xff\xff\xff\xff"
    kinds = (b"stts", b"stsc", b"stco", b"ctts", b"stss", b"elst")
    path.write_bytes(edited(kit.clip.read_bytes(), dict.fromkeys(kinds, lambda _: endless)))


@bombs("streams.mp4", "too_large", "900 streams of the same pictures")
def _streams(kit: Kit, path: Path) -> None:
    data = kit.clip.read_bytes()
    at = data.index(b"moov") - 4
    moov = data[at + 8 :]
    track = moov[moov.index(b"trak") - 4 :]
    track = track[: struct.unpack_from(">I", track)[0]]
    path.write_bytes(data[:at] + box(b"moov", moov.replace(track, track * 900)))


@bombs("picture_is_vast.mp4", "undecodable", "a fragment whose first picture has a gigabyte, it says")
@bombs("fragment_of_many.mp4", "too_long", "20 million samples by a fragment's head of 20 bytes")
def _fragments(kit: Kit, path: Path) -> None:
    def changed(payload: bytes) -> bytes:
        if "vast" in path.name:
            return payload[:16] + struct.pack(">I", 2**30) + payload[20:]
        return struct.pack(">II", 1, 20_000_000) + payload[8:12]  # no facts of single samples: all are alike

    whole = kit.remuxed(f"whole_{path.name}", "-movflags", "frag_keyframe+empty_moov").read_bytes()
    first = whole.index(b"mdat") - 4  # what follows the first fragment stays as it is
    path.write_bytes(edited(whole[:first], {b"trun": changed}) + whole[first:])


@bombs("boxes_in_boxes.mp4", "undecodable", "20,000 boxes in one another")
def _boxes_in_boxes(_: Kit, path: Path) -> None:
    count = 20_000
    nested = b"".join(struct.pack(">I4s", 8 * (count - at), b"moov") for at in range(count))
    path.write_bytes(box(b"ftyp", b"isom" + bytes(4)) + nested)


@bombs("elements_in_elements.mkv", "undecodable", "thousands of Matroska elements in one another")
def _elements_in_elements(kit: Kit, path: Path) -> None:
    data = kit.mkv.read_bytes()
    unknown = b"\xff" * 8
    path.write_bytes(data[: data.index(b"\x18\x53\x80\x67")] + (b"\x18\x53\x80\x67\x01" + unknown[1:]) * 20_000)


@bombs("tags.mkv", FRAMES, "a title of two million letters")
def _tags(kit: Kit, path: Path) -> None:
    data = kit.remuxed("tagged.mkv", "-metadata", "title=a", "-write_crc32", "0").read_bytes()
    at = data.index(b"\x7b\xa9\x81a")
    info = data.rindex(b"\x15\x49\xa9\x66", 0, at) + 4
    assert data[info] & 0x80, "its size follows, in one byte"
    end = info + 1 + (data[info] & 0x7F)
    title = b"\x7b\xa9" + _size(2_000_000) + b"a" * 2_000_000
    body = data[info + 1 : at] + title + data[at + 4 : end]
    path.write_bytes(data[:info] + _size(len(body)) + body + data[end:])


def _size(count: int) -> bytes:
    """The size of a Matroska element, in eight bytes."""
    return b"\x01" + count.to_bytes(7)


@bombs("frame_rate.avi", FRAMES, "a thousand million frames a second")
def _frame_rate(kit: Kit, path: Path) -> None:
    data = bytearray(kit.remuxed("rate.avi").read_bytes())
    struct.pack_into("<II", data, data.index(b"strh") + 8 + 20, 1, 1_000_000_000)
    path.write_bytes(data)


@bombs("time_scale.mp4", "mis_cut", "a clock that does not tick")
def _time_scale(kit: Kit, path: Path) -> None:
    def stopped(payload: bytes) -> bytes:
        return payload[:12] + bytes(4) + payload[16:]

    path.write_bytes(edited(kit.clip.read_bytes(), {b"mdhd": stopped, b"mvhd": stopped}))
