"""The process that makes shards for another one: ``python -m tasks.apart_worker <descriptor of a pipe>``.

It ends when the other end of the pipe is closed, in the middle of a shard too: what is not finished is not there.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from model.errors import DialogueError
from storage import journal
from storage.layout import open_workspace
from tasks.plan import load
from tasks.run import run_shard

AT_MOST_EVERY_S = 0.2


class Telling(logging.Handler):
    """Sends what is logged, and progress now and then, from any thread."""

    def __init__(self, pipe: Connection) -> None:
        super().__init__()
        self._pipe, self._said, self._turn = pipe, 0.0, threading.Lock()

    def send(self, **message: Any) -> None:
        with self._turn:
            self._pipe.send_bytes(json.dumps(message, default=str).encode())

    def progress(self, done: int, total: int, what: str) -> None:
        if time.monotonic() - self._said >= AT_MOST_EVERY_S or done >= total:
            self._said = time.monotonic()
            self.send(progress=[done, total, what])

    def emit(self, record: logging.LogRecord) -> None:
        facts = dict(getattr(record, "facts", {}))
        if record.exc_info and record.exc_info[0]:
            facts["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-8000:]
        kept = facts if hasattr(record, "facts") or facts else None
        self.send(log=[record.name, record.levelno, record.getMessage(), kept])


def main() -> None:
    pipe = Connection(int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one that asks
    telling = Telling(pipe)
    logging.getLogger().addHandler(telling)
    for name in journal.ROOMS:
        logging.getLogger(name).setLevel(logging.INFO)
    requests: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(pipe, requests), daemon=True).start()
    while True:
        answer = _done(json.loads(requests.get()), telling)
        telling.send(**answer)


def _listen(pipe: Connection, requests: queue.Queue[bytes]) -> None:
    """Takes requests while a shard is being made, so as to notice that nobody waits for it any more."""
    try:
        while True:
            requests.put(pipe.recv_bytes())
    except (EOFError, OSError):
        os.killpg(0, signal.SIGKILL)  # helpers of a training run and decoders with it


def _done(request: dict[str, Any], telling: Telling) -> dict[str, Any]:
    run = load(open_workspace(Path(request["workspace"])), request["run_id"])
    try:
        with journal.about(**request["where"]), journal.told_elsewhere():
            return {"manifest": run_shard(run, request["stage"], request["shard"], telling.progress)}
    except DialogueError as error:
        return {"refused": str(error)}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
