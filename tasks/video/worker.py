"""The process that decodes: started by tasks/video/pool.py, one file at a time, limited, and expendable.

Speaks over one pipe, in plain messages: JSON, and the JPEGs as they are. Nothing that a hijacked decoder could send
is executed on the other side. Never imports torch.

    in   {"root", "name", "stretches": [[start, end or null], …], "options": {…}}
    out  {"ready": true}                 once
         {"opened": seconds}             when the file is open; decoding may take that long
         {"fault": "…"}                  the face model cannot be used
         {"clips": [{"frames": […]} | {"reason", "detail"}, …]}     followed by one message per JPEG
"""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from model.errors import VideoError, WeightsError
from tasks.video.extract import extract
from tasks.video.options import Options
from tasks.video.outcome import Outcome
from tasks.video.reasons import refuse

ORPHAN_S = 30
"""Seconds after which a worker that nobody killed ends itself."""


def main(descriptor: int, memory_bytes: int) -> None:
    """Serves requests until the pipe closes."""
    _limit(memory_bytes)
    import av
    import cv2

    av.logging.set_level(None)
    cv2.setNumThreads(1)
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


def _serve(pipe: Connection, request: dict[str, Any]) -> None:
    options = Options(**request["options"])
    stretches = [(start, float("inf") if end is None else end) for start, end in request["stretches"]]

    def opened(seconds: float) -> None:
        signal.alarm(int(seconds) + ORPHAN_S)  # its default action ends even a decoder that hangs in C
        _send(pipe, {"opened": seconds})

    signal.alarm(int(options.timeout_s) + ORPHAN_S)
    try:
        outcomes = _outcomes(request, stretches, options, opened)
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


def _outcomes(
    request: dict[str, Any], stretches: list[tuple[float, float]], options: Options, opened: Any
) -> list[Outcome]:
    name = request["name"]
    try:
        return extract(Path(request["root"]), name, stretches, options, opened)
    except VideoError as error:
        failed = error
    except WeightsError:
        raise
    except MemoryError:
        failed = refuse("too_large", f"{name} needs more memory than a worker may have")
    except Exception as error:  # no file may end the stage; the row says what happened
        failed = refuse("decoder_error", f"{name}: {type(error).__name__}: {error}")
    return [failed] * len(stretches)


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
