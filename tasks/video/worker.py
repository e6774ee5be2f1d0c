"""The process that decodes: started by tasks/video/pool.py, one file at a time, limited, and expendable.

Speaks over one pipe, in plain messages: JSON, and the JPEGs as they are. Nothing that a hijacked decoder could send
is executed on the other side. Never imports torch.

    in   {"root", "name", "stretches": [[start, end or null], …], "options": {…}}
         with "stretches": null       the file's length is asked for, and no picture
    out  {"ready": true}                 once
         {"alive": true}                 about once a second while frames come
         {"fault": "…"}                  the face model cannot be used
         {"clips": [{"frames": […]} | {"reason", "detail"}, …]}     followed by one message per JPEG
         {"seconds": 2.5 or null} | {"reason", "detail"}     the answer where a length was asked for
"""

from __future__ import annotations

import gc
import json
import math
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from model.errors import VideoError, WeightsError
from tasks.video.extract import extract
from tasks.video.open import open_video
from tasks.video.options import Options
from tasks.video.outcome import Length, Outcome
from tasks.video.reasons import refuse

T = TypeVar("T")

ORPHAN_S = 30
"""Seconds after which a worker that nobody killed ends itself."""


def main(descriptor: int, memory_bytes: int) -> None:
    """Serves requests until the pipe closes."""
    _limit(memory_bytes)
    import av
    import cv2

    av.logging.set_level(None)
    cv2.setNumThreads(1)
    gc.freeze()  # what is loaded stays; collections after each line need not look at it
    with Connection(descriptor) as pipe:
        _send(pipe, {"ready": True})
        try:
            while True:
                _serve(pipe, json.loads(pipe.recv_bytes()))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _limit(memory_bytes: int) -> None:
    """Caps memory, forbids core files, and lets Ctrl-C be the parent's business."""
    import resource

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Heartbeat:
    """Tells the parent that frames come, and ends this process where they do not and nobody is left to kill it."""

    def __init__(self, pipe: Connection, timeout_s: float) -> None:
        self._pipe = pipe
        self._alarm_s = math.ceil(timeout_s) + ORPHAN_S
        self._last_s = time.monotonic()
        signal.alarm(self._alarm_s)  # its default action ends even a decoder that hangs in C

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._last_s >= 1.0:
            self._last_s = now
            signal.alarm(self._alarm_s)
            _send(self._pipe, {"alive": True})


def _serve(pipe: Connection, request: dict[str, Any]) -> None:
    options = Options(**request["options"])
    root, name = Path(request["root"]), request["name"]
    heartbeat = Heartbeat(pipe, options.timeout_s)
    try:
        if request["stretches"] is None:
            return _send(pipe, _length(_guarded(name, lambda: _seconds(root, name, options))))
        stretches = [(start, float("inf") if end is None else end) for start, end in request["stretches"]]
        found = _guarded(name, lambda: extract(root, name, stretches, options, heartbeat.beat))
        outcomes = [found] * len(stretches) if isinstance(found, VideoError) else found
    except WeightsError as error:
        return _send(pipe, {"fault": str(error)})
    finally:
        signal.alarm(0)
    _send(pipe, {"clips": [_described(outcome) for outcome in outcomes]})
    for outcome in outcomes:
        if not isinstance(outcome, VideoError):
            for chosen in outcome:
                pipe.send_bytes(chosen.jpeg)
    return None


def _guarded(name: str, work: Callable[[], T]) -> T | VideoError:
    """The result of ``work``, or what is wrong with the file."""
    try:
        return work()
    except VideoError as error:
        return error
    except WeightsError:
        raise
    except MemoryError:
        return refuse("too_large", f"{name} needs more memory than a worker may have")
    except Exception as error:  # no file may end the stage; the row says what happened
        return refuse("decoder_error", f"{name}: {type(error).__name__}: {error}")


def _seconds(root: Path, name: str, options: Options) -> float | None:
    with open_video(root, name, options.max_pixels, options.max_seconds) as video:
        return video.seconds


def _length(found: Length) -> dict[str, Any]:
    if isinstance(found, VideoError):
        return {"reason": found.reason, "detail": str(found)}
    return {"seconds": found}


def _described(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, VideoError):
        return {"reason": outcome.reason, "detail": str(outcome)}
    frames = [asdict(chosen) for chosen in outcome]
    for frame in frames:
        del frame["jpeg"]
    return {"frames": frames}


def _send(pipe: Connection, message: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
