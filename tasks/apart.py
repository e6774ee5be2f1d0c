"""Shards of a stage in a process of their own: it can be ended while it hangs, and gives its memory back when it ends.

The process is started for a stage and does one shard after another, so that a model is loaded once. It says how far it
is and what it logs; one that says nothing for ``hang_after_s`` is killed, whatever it is doing, and the shard has
failed as by any fault of the machine. So it has where the process dies: of a crash in a library, of want of memory.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from model.errors import DialogueError
from storage import journal
from storage.shards import Manifest
from tasks import shard_facts
from tasks.plan import Run
from tasks.stage import Progress, Stage, no_progress

ROOM = Path(__file__).parents[1]
EXITS_WITHIN_S = 5.0
"""After its end of the pipe was closed: longer than that a process that dies by itself does not take."""
WORKER = (sys.executable, "-P", "-m", "tasks.apart_worker")


class ShardLost(RuntimeError):
    """The process hung and was killed, or ended by itself before the shard was done. Worth another try."""


class Apart:
    """The process of one stage, started with its first shard. One shard at a time, from whatever thread."""

    def __init__(self, run: Run, stage: Stage, command: tuple[str, ...] = WORKER) -> None:
        self._run, self._stage, self._command = run, stage, command
        self._patience_s = run.settings[stage.name].hang_after_s
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Any = None
        self._turn = threading.RLock()
        self._over = False

    def run_shard(self, shard: int, progress: Progress = no_progress) -> Manifest:
        """As tasks.run.run_shard. Raises ShardLost, and DialogueError for what our own checks refuse.

        A shard whose stage is ended meanwhile, since its run was cancelled, has not failed: no failure is recorded, and
        its DialogueError says that it is not worth another try.
        """
        with self._turn:
            if self._process is None and not self._over:
                self._start()
            if self._over:
                self._ended(0.0)
                raise self._cancelled(shard)
            where = {**journal.where()}
            request = {"workspace": self._run.layout.name, "run_id": self._run.run_id, "where": where}
            try:
                self._pipe.send_bytes(json.dumps({**request, "stage": self._stage.name, "shard": shard}).encode())
                answer = self._answer(shard, progress)
            except TimeoutError:
                self._ended(0.0)
                told = f"said nothing for {self._patience_s:g} s and was ended; raise {self._stage.name}.hang_after_s"
                raise self._lost(shard, f"{told} if that is too short") from None
            except (OSError, EOFError):
                if self._over:
                    raise self._cancelled(shard) from None
                raise self._lost(shard, f"ended while it made the shard: {self._ended(EXITS_WITHIN_S)}") from None
        if "manifest" in answer:
            return dict(answer["manifest"])
        raise DialogueError(answer["refused"]) if "refused" in answer else RuntimeError(answer["failed"])

    def end(self) -> None:
        """Ends the process, if there is one, at once and for good; a thread that waits for its shard then raises."""
        self._over = True
        self._ended(0.0)

    def _ended(self, patience_s: float) -> str:
        """How it ended by itself, within ``patience_s``; else it is killed, with all that it started."""
        process = self._process
        if process is None:
            return "it was ended"
        try:
            code = process.wait(patience_s)
            said = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            said = "it was ended"
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        with self._turn:  # a thread that waits at the pipe wakes up by its end
            if self._process is process:
                self._process = None
                self._pipe.close()
        return said

    def _start(self) -> None:
        self._pipe, theirs = Pipe()
        path = os.pathsep.join([str(ROOM), *filter(None, [os.environ.get("PYTHONPATH")])])
        with theirs:
            self._process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr.fileno() if hasattr(sys.stderr, "fileno") else None,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def _answer(self, shard: int, progress: Progress) -> dict[str, Any]:
        """The last message about a shard; those before it are passed on."""
        with journal.about(run_id=self._run.run_id, stage=self._stage.name, shard=shard):
            while True:
                if not self._pipe.poll(self._patience_s):
                    raise TimeoutError
                message: dict[str, Any] = json.loads(self._pipe.recv_bytes())
                if "progress" in message:
                    progress(*message["progress"])
                elif "log" in message:
                    name, level, text, facts = message["log"]
                    extra = {} if facts is None else {"facts": facts}
                    logging.getLogger(name).log(level, "%s", text, extra=extra)
                else:
                    return message

    def _cancelled(self, shard: int) -> DialogueError:
        return DialogueError(f"{self._stage.name} was ended before shard {shard} was done")

    def _lost(self, shard: int, told: str) -> ShardLost:
        error = ShardLost(f"the process of {self._stage.name} {told}")
        with journal.about(run_id=self._run.run_id, stage=self._stage.name, shard=shard):
            shard_facts.record_failure(self._run, self._stage, shard, error)
        return error


_OPEN: dict[tuple[str, str], Apart] = {}


@contextmanager
def apart(run: Run, stage: Stage) -> Iterator[None]:
    """Meanwhile the stage's shards are done in a process of its own, where it asks for that."""
    if not stage.apart:
        yield
        return
    _OPEN[run.run_id, stage.name] = opened = Apart(run, stage)
    try:
        yield
    finally:
        opened.end()  # it stays known as ended: a thread that still waits must not begin the shard in this process


def opened(run: Run, stage: str) -> Apart | None:
    """The stage's process, which may have been ended; None where its shards are done in this one."""
    return _OPEN.get((run.run_id, stage))
