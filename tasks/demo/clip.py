"""One clip of the demo corpus: draws a line's shots and encodes them with its voice. Same clip, same bytes."""

from __future__ import annotations

import os
import subprocess
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from model.errors import CorpusError
from tasks.demo.draw import draw
from tasks.demo.script import Line
from tasks.demo.voice import SAMPLE_RATE, speak

FFMPEG_TIMEOUT_S = 120
HOLD = 2  # frames for each drawing, "on twos" as in animation: half the drawing time, and nobody sees it


@dataclass(frozen=True, slots=True)
class Clip:
    """One file to make, at ``path``; sizes in pixels.

    ``voice_seed`` is the same for a whole corpus, ``room_seed`` for a dialogue: it keeps its surroundings.
    """

    path: Path
    line: Line
    voice_seed: int
    room_seed: int
    width: int
    height: int
    fps: float


def render_clip(clip: Clip) -> None:
    """H.264 with an AAC sound track in an mp4 file; a failure leaves nothing under its final name.

    Raises CorpusError with what ffmpeg said.
    """
    import ffmpeg
    import imageio_ffmpeg

    clip.path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = clip.path.with_name(f".{clip.path.name}.{os.getpid()}.tmp")
    sound = unfinished.with_suffix(".wav")
    frames = list(_frames(clip))
    try:
        _write_sound(sound, clip, len(frames) / clip.fps)
        picture = ffmpeg.input(
            "pipe:0", format="rawvideo", pix_fmt="bgr24", s=f"{clip.width}x{clip.height}", framerate=clip.fps
        )
        # bitexact: no encoder versions or times in the file, so that the bytes depend on the clip alone
        exact = {"fflags": "+bitexact", "flags:v": "+bitexact", "flags:a": "+bitexact", "threads": 1}
        output = ffmpeg.output(
            picture.video,
            ffmpeg.input(f"file:{sound}").audio,
            f"file:{unfinished}",
            format="mp4",
            vcodec="libx264",
            preset="veryfast",
            pix_fmt="yuv420p",
            acodec="aac",
            audio_bitrate="48k",
            loglevel="error",
            **exact,
        )
        command = ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe(), overwrite_output=True)
        _run(command, b"".join(frames), clip.path)
        unfinished.replace(clip.path)
    finally:
        sound.unlink(missing_ok=True)
        unfinished.unlink(missing_ok=True)


def _run(command: list[str], frames: bytes, path: Path) -> None:
    try:
        done = subprocess.run(command, input=frames, capture_output=True, timeout=FFMPEG_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise CorpusError(
            f"{path}: ffmpeg did not finish in {FFMPEG_TIMEOUT_S} s; run again when the machine is less busy"
        ) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-500:]
        raise CorpusError(f"{path}: ffmpeg failed ({said}); check the free disk space and run again")


def _frames(clip: Clip) -> Iterator[bytes]:
    """Raw BGR frames, shot after shot."""
    start = 0.0
    for shot in clip.line.shots:
        first, picture = round(start * clip.fps), b""
        start += shot.seconds
        for index in range(first, round(start * clip.fps)):
            if (index - first) % HOLD == 0:
                picture = draw(
                    shot.scene,
                    width=clip.width,
                    height=clip.height,
                    time_s=index / clip.fps,
                    seed=clip.room_seed,
                ).tobytes()
            yield picture


def _write_sound(path: Path, clip: Clip, seconds: float) -> None:
    scene = clip.line.shots[0].scene
    samples = speak(
        clip.line.text,
        speaker=clip.line.speaker,
        figure=scene.people[scene.speaker].figure,
        emotion=clip.line.emotion,
        seconds=seconds,
        seed=clip.voice_seed,
    )
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
