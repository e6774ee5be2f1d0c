"""Names and files that try to have another file read, a connection made, or the reader wait for ever."""

from __future__ import annotations

import os
import socket
import stat
import struct
from pathlib import Path

from faults.bad_videos import FRAMES, Cannot, Collection, Kit, link
from faults.boxes import box, edited

attacks = Collection()


def _text(name: str, text: str, tries: str, outcome: str = "not_a_video") -> None:
    """``{secret}``, ``{stream}`` and ``{port}`` stand for what must not be touched."""

    @attacks(name, outcome, tries)
    def _write(kit: Kit, path: Path) -> None:
        path.write_text(text.format(secret=kit.secret, stream=kit.secret_stream, port=kit.port))


_text("concat.mp4", "ffconcat version 1.0\nfile '{secret}'\n", "a list of other files")
_text("concat_up.mp4", "ffconcat version 1.0\nfile ../outside/secret.mp4\n", "a list of other files")
_text("concat_beside.mp4", "ffconcat version 1.0\nfile webm.mp4\n", "a list of other files in its folder")
_text(
    "hls.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{stream}\n#EXT-X-ENDLIST\n", "a playlist of a local file"
)
_text(
    "hls.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\n{stream}\n#EXT-X-ENDLIST\n", "a playlist of a local file"
)
_text(
    "hls_http.m3u8",
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "a playlist of an address",
)
_text(
    "hls_http.mp4",
    "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "a playlist of an address",
)
_text("hls_in_packets.ts", ("G" + "\n#EXTM3U\n" + "#" * 178) * 9, "a playlist in stream packets", "undecodable")
_text("call.sdp", "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=-\nt=0 0\nm=video {port} RTP/AVP 96\n", "a call to listen to")
_text("dash.mpd", "<MPD><Period><BaseURL>http://127.0.0.1:{port}/</BaseURL></Period></MPD>", "a manifest of an address")
_text("redirect.asx", '<asx><entry><ref href="http://127.0.0.1:{port}/"/></entry></asx>', "a playlist of an address")
_text("smil.mp4", '<smil><video src="{secret}"/></smil>', "a list of other files")


def _name(name: str, outcome: str, tries: str = "a name that is an address to others") -> None:
    @attacks(name, outcome, tries)
    def _nothing(kit: Kit, _: Path) -> None:
        assert kit.secret.is_file()


_name("http://127.0.0.1/a.mp4", "missing_video")
_name("tcp://127.0.0.1:9", "missing_video")
_name("concat:/../outside/secret.mp4|hls.mp4", "outside_root")
_name("subfile,,start,0,end,0,,:/../../outside/secret.mp4", "outside_root")
_name("cache:secret.mp4", "missing_video")
_name("data:video/mp4;base64,AAAA", "missing_video")
_name("file:///etc/passwd", "missing_video")
_name("pipe:0", "missing_video")
_name("fd:", "missing_video")
_name("-", "missing_video")
_name("%04d.mp4", "missing_video", "a pattern of names")
_name("../outside/secret.mp4", "outside_root", "a way up")
_name("/dev/zero", "outside_root", "a way from the top")
_name("/proc/self/mem", "outside_root", "a way from the top")
_name("x" * 5000, "missing_video", "a name that no file can have")
_name("a/" * 3000 + "a.mp4", "missing_video", "a way that no folder can have")


@attacks("out.mp4", "outside_root", "a link out")
def _link_out(kit: Kit, path: Path) -> None:
    path.symlink_to(kit.secret)


@attacks("way_out/secret.mp4", "outside_root", "a folder that is a link out")
def _folder_out(kit: Kit, path: Path) -> None:
    path.parent.symlink_to(kit.secret.parent)


@attacks("descriptor.mp4", "outside_root", "a link to what the decoder has open")
def _descriptor(_: Kit, path: Path) -> None:
    path.symlink_to("/proc/self/fd/0")


@attacks("loop.mp4", "missing_video", "a link to itself")
def _loop(_: Kit, path: Path) -> None:
    path.symlink_to(path.name)


@attacks("inside.mp4", FRAMES, "a link inside the folder, which is allowed")
def _link_in(kit: Kit, path: Path) -> None:
    link(kit.clip, path.with_name("linked.mp4"))
    path.symlink_to("linked.mp4")


@attacks("pipe.mp4", "not_a_video", "a pipe that nobody writes to")
def _pipe(_: Kit, path: Path) -> None:
    os.mkfifo(path)


@attacks("socket.mp4", "not_a_video", "a socket")
def _socket(_: Kit, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # the whole path may be too long for a socket
        try:
            made.bind(path.name)
        finally:
            os.chdir(here)


@attacks("folder.mp4", "not_a_video", "a folder")
def _folder(_: Kit, path: Path) -> None:
    path.mkdir()


@attacks("device.mp4", "not_a_video", "a device that never ends")
def _device(_: Kit, path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        raise Cannot("only root may make a device") from None


@attacks("unreadable.mp4", "unreadable", "a file without permissions")
def _unreadable(kit: Kit, path: Path) -> None:
    path.write_bytes(kit.clip.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        raise Cannot("root may read every file")


@attacks("reference.mov", FRAMES, "QuickTime whose pictures are said to lie in another file")
@attacks("reference_http.mov", FRAMES, "QuickTime whose pictures are said to lie at an address")
def _reference(kit: Kit, path: Path) -> None:
    address = f"http://127.0.0.1:{kit.port}/a.mov" if "http" in path.name else f"file://{kit.secret}"
    entry = box(b"url ", bytes(4) + address.encode() + b"\0")
    path.write_bytes(edited(kit.clip.read_bytes(), {b"dref": lambda _: bytes(4) + b"\0\0\0\1" + entry}))


@attacks("alias.mov", "undecodable", "QuickTime whose pictures are said to lie in another file, by an alias")
def _alias(kit: Kit, path: Path) -> None:
    path_part = str(kit.secret).encode()
    told = struct.pack(">HH", 2, len(path_part)) + path_part + bytes(len(path_part) % 2)  # 2: a path from the top
    alias = bytes(150) + told + b"\xff\xff\0\0"
    entry = box(b"alis", bytes(4) + alias)
    path.write_bytes(edited(kit.clip.read_bytes(), {b"dref": lambda _: bytes(4) + b"\0\0\0\1" + entry}))


@attacks("movie_reference.mov", "no_video_stream", "QuickTime that is nothing but an address")
def _movie_reference(kit: Kit, path: Path) -> None:
    address = f"http://127.0.0.1:{kit.port}/a.mov".encode() + b"\0"
    reference = box(b"rdrf", bytes(4) + b"url " + len(address).to_bytes(4) + address)
    path.write_bytes(box(b"ftyp", b"qt  " + bytes(4)) + box(b"moov", box(b"rmra", box(b"rmda", reference))))


@attacks("next_file.mkv", FRAMES, "Matroska that names its next part")
def _next_file(kit: Kit, path: Path) -> None:
    title = "../outside/secret.mp4"
    data = kit.remuxed("titled.mkv", "-metadata", f"title={title}x", "-write_crc32", "0").read_bytes()
    told = b"\x7b\xa9" + bytes([0x80 | (len(title) + 1)]) + title.encode() + b"x"
    assert data.count(told) == 1
    path.write_bytes(data.replace(told, b"\x3e\x83\xbb" + bytes([0x80 | len(title)]) + title.encode()))


@attacks("attached.mkv", FRAMES, "Matroska with another file attached")
def _attached(kit: Kit, path: Path) -> None:
    made = kit.remuxed("with.mkv", "-attach", str(kit.secret), "-metadata:s:t", "mimetype=application/x-font-ttf")
    link(made, path)
