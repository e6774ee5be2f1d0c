"""The process that captions: started by model/caption_process.py, with a model of its own, and expendable.

Speaks over one pipe, in plain messages: JSON, and the JPEGs as they are.

    out  {"ready": true}                 once, before anything is loaded
    in   {"folder", "model", "threads"}
    out  {"loaded": true} | {"fault", "text"}
    in   {"clips": [{"times": […], "words": "…"}, …], "batch_size", "prompt": {…}, "max_new_tokens"}
         followed by one message per JPEG
    out  {"alive": true}                 about once a second while tokens come
         {"said": [{"text", "n_frames", "n_tokens", "seconds", "n_prompt_tokens"} | {"reason", "detail"}, …],
          "batch_size"}
         {"fault", "text"}               nothing could be described: the kind of error and its message
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from model.caption_chat import Clip
from model.caption_models import CaptionModel
from model.caption_prompt import CaptionPrompt
from model.captioner import Described, TransformersCaptioner
from model.errors import DialogueError, VideoError

PARENT_S = 0.5
"""How often a process looks whether the one that started it is still there."""


def main(descriptor: int, parent: int) -> None:
    """Serves requests until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    with Connection(descriptor) as pipe:
        try:
            _send(pipe, {"ready": True})
            captioner = _guarded(pipe, lambda: _load(json.loads(pipe.recv_bytes())))
            if captioner is None:
                return
            _send(pipe, {"loaded": True})
            gc.freeze()  # what is loaded stays; collections need not look at it
            captioner.beat = _heartbeat(pipe)
            while True:
                _serve(pipe, captioner)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            os._exit(0)  # there is nothing to tidy up, and torch would take its time


def _load(job: dict[str, Any]) -> TransformersCaptioner:
    import torch

    torch.set_num_threads(job["threads"])
    model = job["model"] and CaptionModel(**job["model"])
    return TransformersCaptioner(Path(job["folder"]), model=model)


def _serve(pipe: Connection, captioner: TransformersCaptioner) -> None:
    asked = json.loads(pipe.recv_bytes())
    clips = []
    for clip in asked["clips"]:
        jpegs = tuple(pipe.recv_bytes() for _ in clip["times"])
        clips.append(Clip(jpegs, tuple(clip["times"]), clip["words"]))
    captioner.batch_size = asked["batch_size"]
    prompt = CaptionPrompt(**asked["prompt"])
    said = _guarded(pipe, lambda: captioner.describe(clips, prompt, asked["max_new_tokens"]))
    if said is not None:
        _send(pipe, {"said": [_told(one) for one in said], "batch_size": captioner.batch_size})


def _guarded(pipe: Connection, work: Callable[[], Any]) -> Any:
    """The result of ``work``, or None after the fault was told."""
    try:
        return work()
    except DialogueError as error:
        _send(pipe, {"fault": type(error).__name__, "text": str(error)})
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception as error:
        _send(pipe, {"fault": type(error).__name__, "text": f"{type(error).__name__}: {error}"})
    return None


def _told(one: Described | VideoError) -> dict[str, Any]:
    return {"reason": one.reason, "detail": str(one)} if isinstance(one, VideoError) else asdict(one)


def _heartbeat(pipe: Connection) -> Callable[[], None]:
    last = time.monotonic()

    def beat() -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            _send(pipe, {"alive": True})

    return beat


def _end_with(parent: int) -> None:
    """Ends this process as soon as the one that started it is gone, also in the middle of a batch."""
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    os._exit(1)


def _send(pipe: Connection, message: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
