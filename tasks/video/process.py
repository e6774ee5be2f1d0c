"""One decoder process, seen from outside: start it, ask it, end it.

It is a fresh interpreter with its own pipe, not a ``multiprocessing`` child: that would import the caller's main
module again (Prefect's, a notebook's), exchange pickles with a process that reads hostile files, and share locks
with one that may have to be killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from model.errors import WeightsError
from tasks.video import answers
from tasks.video.answers import NonsenseError
from tasks.video.options import Options
from tasks.video.outcome import Length, Outcome, Stretch

START_S = 120.0
GRACE_S = 5.0
MOST_BYTES = 2**28
"""Of one message: a stored picture has at most 4096 × 4096 pixels."""
ROOM = Path(__file__).parents[2]

KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
"""A process that reads hostile files gets no tokens and keys."""

DECODER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENCV_LOG_LEVEL": "ERROR",
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
}
"""One thread, quiet, and (glibc) the memory of freed frames is kept for the next file's: to hand it back and be given
it again, emptied, costs a twentieth of decoding."""

Request = tuple[Path, str, Sequence[Stretch]]
"""Video folder, name in it, and the stretches wanted."""


class WorkerLost(Exception):
    """The process ended before it answered, or answered what no decoder answers; its text says what, if known."""


class Worker:
    """Not for use by two threads at a time. ``files`` counts the requests it got."""

    def __init__(self, memory_bytes: int) -> None:
        self._pipe, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tasks.video.worker", str(theirs.fileno()), str(memory_bytes)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.files = 0
        try:
            self._receive(START_S)
        except (WorkerLost, TimeoutError) as error:
            raise RuntimeError(f"a decoder process does not start: {self.end()}; see its message above") from error

    def extract(self, request: Request, options: Options) -> list[Outcome]:
        """An outcome per stretch. Raises WeightsError for the face model, else WorkerLost or TimeoutError.

        After one of the last two it must be ended.
        """
        root, name, stretches = request
        reply = self._ask(root, name, list(stretches), options)
        try:
            clips = answers.Clips.read(reply).clips
            if len(clips) != len(stretches):
                raise NonsenseError(f"{len(clips)} clips for {len(stretches)} stretches")
            return [self._outcome(clip) for clip in clips]
        except NonsenseError as error:
            raise WorkerLost(f"its answer makes no sense: {error}") from error

    def length(self, root: Path, name: str, options: Options) -> Length:
        """How long the file is, by its head; raises as ``extract`` does."""
        reply = self._ask(root, name, None, options)
        try:
            return answers.Refusal.read(reply).error() if "reason" in reply else answers.Length.read(reply).seconds
        except NonsenseError as error:
            raise WorkerLost(f"its answer makes no sense: {error}") from error

    def end(self) -> str:
        """Ends the process and says how it ended, where it did so by itself: "SIGSEGV", "exit code 1"."""
        self._pipe.close()  # an idle worker stops at that
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _ask(self, root: Path, name: str, stretches: list[Stretch] | None, options: Options) -> dict[str, Any]:
        message = {"root": str(root), "name": name, "stretches": stretches, "options": asdict(options)}
        self.files += 1
        try:
            self._pipe.send_bytes(json.dumps(message).encode())
        except OSError as error:
            raise WorkerLost from error
        reply = self._receive(options.timeout_s + GRACE_S)
        while "alive" in reply:
            reply = self._receive(options.timeout_s + GRACE_S)
        if "fault" in reply:
            raise WeightsError(str(reply["fault"]))
        return reply

    def _outcome(self, clip: answers.Frames | answers.Refusal) -> Outcome:
        if isinstance(clip, answers.Refusal):
            return clip.error()
        return [frame.chosen(self._bytes(GRACE_S)) for frame in clip.frames]

    def _receive(self, seconds: float) -> dict[str, Any]:
        try:
            message = json.loads(self._bytes(seconds))
        except (ValueError, RecursionError) as error:
            raise WorkerLost("its answer is not JSON") from error
        if not isinstance(message, dict):
            raise WorkerLost("its answer is not a message")
        return message

    def _bytes(self, seconds: float) -> bytes:
        try:
            if not self._pipe.poll(seconds):
                raise TimeoutError
            return self._pipe.recv_bytes(MOST_BYTES)
        except TimeoutError:
            raise
        except (EOFError, OSError) as error:  # OSError: gone, or a longer message than that
            raise WorkerLost from error


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ}
    path = os.pathsep.join([str(ROOM), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
    return {**kept, **DECODER_ENVIRONMENT, "PYTHONPATH": path}
