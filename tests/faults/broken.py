"""Files that were whole once: cut off, overwritten, emptied; and what never was a video."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import av
import cv2
from faults.bad_videos import FRAMES, SUSPECT, Collection, Kit, run
from video_clips import scene, three_shots, write_clip

broken = Collection()


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def packets(path: Path) -> list[tuple[int, int]]:
    """Position and size of each packet's data."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]


for _name, _content in {
    "empty.mp4": b"",
    "nulls.mp4": bytes(5000),
    "noise.mp4": noise(5000),
    "text.mp4": b"This is no video.\n" * 50,
    "gif.mp4": b"GIF89a" + noise(500),
    "pdf.mp4": b"%PDF-1.7\n" + noise(500),
    "wave.avi": b"RIFF\x00\x10\x00\x00WAVEfmt " + noise(4096),
}.items():
    broken(_name, "not_a_video", "no video container at all")(
        lambda _, path, content=_content: path.write_bytes(content)
    )

for _name, _content in {
    "noise_after_head.mp4": b"\0\0\0\x20ftypisom" + noise(5000),
    "nulls_after_head.mkv": b"\x1a\x45\xdf\xa3" + bytes(5000),
    "noise_after_head.mkv": b"\x1a\x45\xdf\xa3" + noise(5000),
    "noise_in_packets.ts": b"".join(b"G" + noise(187, seed) for seed in range(2000)),
    "nulls_in_packets.ts": (b"G" + bytes(187)) * 2000,
}.items():
    broken(_name, "undecodable", "the right first bytes, then nothing right")(
        lambda _, path, content=_content: path.write_bytes(content)
    )


@broken("noise_after_head.avi", "no_video_stream", "the right first bytes, then nothing right")
def _noise_after_head(_: Kit, path: Path) -> None:
    path.write_bytes(b"RIFF\x00\x10\x00\x00AVI LIST" + noise(5000))


@broken("zip.mp4", "not_a_video", "an archive with a video in it")
def _zip(kit: Kit, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(kit.clip, "clip.mp4")


@broken("png.mp4", "not_a_video", "a picture")
def _png(_: Kit, path: Path) -> None:
    path.write_bytes(cv2.imencode(".png", scene(1))[1].tobytes())


@broken("raw.h264", "not_a_video", "H.264 without a container, hence without times")
def _raw(kit: Kit, path: Path) -> None:
    run("-i", kit.clip, "-c", "copy", path)


@broken("no_index.mp4", "undecodable", "MP4 without moov")
def _no_index(kit: Kit, path: Path) -> None:
    data = kit.clip.read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])


@broken("faststart_half.mp4", FRAMES, "half of an MP4 whose index comes first")
def _faststart_half(kit: Kit, path: Path) -> None:
    data = kit.remuxed("faststart.mp4", "-movflags", "faststart").read_bytes()
    path.write_bytes(data[: len(data) // 2])


@broken("half.mkv", FRAMES, "half of a file")
@broken("half.avi", FRAMES, "half of a file, without its index")
@broken("half.ts", FRAMES, "half of a file")
@broken("half_fragments.mp4", FRAMES, "half of a fragmented MP4")
def _half(kit: Kit, path: Path) -> None:
    fragments = ["-movflags", "frag_keyframe+empty_moov"] if path.suffix == ".mp4" else []
    data = kit.remuxed(f"whole_{path.name}", *fragments).read_bytes()
    path.write_bytes(data[: len(data) // 2])


@broken("head_alone.mkv", "undecodable", "the first kilobyte of a file")
@broken("head_alone.avi", "undecodable", "the first kilobyte of a file")
@broken("head_alone.ts", "undecodable", "the first kilobyte of a file")
def _head_alone(kit: Kit, path: Path) -> None:
    path.write_bytes(kit.remuxed(f"whole_{path.name}").read_bytes()[:1000])


@broken("nulls_for_pictures.mp4", "undecodable", "a sound index, all pictures zero")
def _nulls_for_pictures(kit: Kit, path: Path) -> None:
    data = bytearray(kit.clip.read_bytes())
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


@broken("noise_in_the_middle.mkv", FRAMES, "every tenth packet overwritten")
@broken("noise_in_the_middle.mp4", FRAMES, "every tenth packet overwritten")
def _noise_in_the_middle(kit: Kit, path: Path) -> None:
    source = kit.mkv if path.suffix == ".mkv" else kit.clip
    data = bytearray(source.read_bytes())
    for place, size in packets(source)[5::10]:
        data[place + 6 : place + size] = noise(max(size - 6, 0), size)
    path.write_bytes(data)


@broken("no_first_key.mp4", "undecodable", "the one key frame destroyed")
def _no_first_key(_: Kit, path: Path) -> None:
    data = bytearray(three_shots(path, options={"sc_threshold": "0"}).read_bytes())
    place, size = packets(path)[0]
    data[place : place + size] = noise(size)
    path.write_bytes(data)


@broken("noise_in_index.mp4", "no_video_stream", "an index of which the half is noise")
def _noise_in_index(kit: Kit, path: Path) -> None:
    data = bytearray(kit.clip.read_bytes())
    start = data.index(b"moov") + 200
    data[start:] = noise(len(data) - start)
    path.write_bytes(data)


@broken("encrypted.mp4", SUSPECT, "encrypted pictures without a key")
def _encrypted(kit: Kit, path: Path) -> None:
    scheme = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", "76a6c65c5ea762046bd749a2e632ccbb"]
    identity = ["-encryption_kid", "a7e61c373e219033c21091fa607bf3b8"]
    run("-i", kit.clip, "-c", "copy", *scheme, *identity, "-fflags", "+bitexact", path)  # else with a random start


@broken("rare_codec.mkv", "unsupported_codec", "FFV1, which nobody films with")
def _rare_codec(_: Kit, path: Path) -> None:
    write_clip(path, [scene(1)] * 3, codec="ffv1")
