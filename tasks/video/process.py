"""One decoder process, seen from outside: start it, ask it, end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model.child_process import ChildProcess, WorkerLost
from model.errors import WeightsError
from tasks.video import answers
from tasks.video.answers import NonsenseError
from tasks.video.options import Options
from tasks.video.outcome import Length, Outcome, Stretch

GRACE_S = 5.0

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


class Worker(ChildProcess):
    """Not for use by two threads at a time. ``files`` counts the requests it got."""

    def __init__(self, memory_bytes: int) -> None:
        super().__init__("tasks.video.worker", [str(memory_bytes)], DECODER_ENVIRONMENT, "a decoder process")
        self.files = 0

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

    def _ask(self, root: Path, name: str, stretches: list[Stretch] | None, options: Options) -> dict[str, Any]:
        message = {"root": str(root), "name": name, "stretches": stretches, "options": asdict(options)}
        self.files += 1
        self._send(message)
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
