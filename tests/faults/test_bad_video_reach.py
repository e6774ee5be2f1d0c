"""What a decoder touches while it reads files that try to make it touch more: their folder, and nothing else."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import av
import pytest
from faults.bad_videos import Kit, every_case
from video_clips import FFMPEG

from tasks.video.options import Options
from tasks.video.process import Worker

MEMORY = 3 * 2**30
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def called(server: socket.socket) -> bool:
    """Whether anybody has connected since the last question."""
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system calls of each Worker that the test starts: opened files, and all that has to do with networks."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("needs strace")
    calls, program = tmp_path / "calls", tmp_path / "traced"
    try:
        subprocess.run([strace, "-o", calls, "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"strace may not trace here: {error.stderr!r}")
    kinds = "trace=open,openat,openat2,creat,execve,fork,vfork,unlink,rename,mkdir,%network"
    program.write_text(f'#!/bin/sh\nexec {strace} -f -qq -xx -o {calls} -e {kinds} -s 9999 {sys.executable} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return calls


def test_a_decoder_opens_its_file_and_nothing_else(
    kit: Kit, missing: dict[str, str], server: socket.socket, trace: Path
) -> None:
    worker = Worker(MEMORY)
    try:
        for name in ("webm.mp4", "mpeg2.ts", "subtitles.mkv"):  # what is loaded with the first picture is loaded here
            worker.extract((kit.root, name, [(0.0, None)]), Options())
        before = len(trace.read_text().splitlines())
        for case in every_case():
            if case.name not in missing:
                worker.extract((kit.root, case.name, [(0.0, None)]), Options())
                worker.length(kit.root, case.name, Options())
        calls = trace.read_text().splitlines()[before:]
    finally:
        worker.end()
    opened = [QUOTED.search(call) for call in calls]
    paths = {bytes.fromhex(found[1].replace("\\x", "")) for found in opened if found}
    assert len(paths) > 50, "the opened files were seen"
    inside = bytes(kit.root.resolve()) + b"/"
    assert {path for path in paths if not path.startswith(inside)} == set()
    assert [call for call in calls if not re.match(r"\d+ +openat\(", call)] == [], "no network, no other program"
    assert not called(server)


def test_the_attacks_are_real(kit: Kit, missing: dict[str, str], server: socket.socket) -> None:
    assert not missing.keys() & {"concat_beside.mp4", "hls.m3u8", "hls_http.m3u8"}
    with av.open(str(kit.root / "hls.m3u8")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 48, "a reader that trusts names shows the secret"
    with av.open(str(kit.root / "concat_beside.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 72
    follow = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(kit.root / "alias.mov"), options=follow) as container, pytest.raises(av.InvalidDataError):
        list(container.decode(video=0))  # its index does not fit the other file, where the pictures are now looked for
    assert not called(server)
    command = [FFMPEG, "-v", "quiet", "-protocol_whitelist", "file,http,tcp", "-rw_timeout", "100000"]
    subprocess.run(
        [*command, "-i", kit.root / "hls_http.m3u8", "-f", "null", "-"], stdin=subprocess.DEVNULL, timeout=60
    )
    assert called(server), "a reader that may connect does"
    while called(server):
        pass
