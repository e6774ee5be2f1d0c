"""A process of this program's own that may crash, hang or be killed: start it, speak to it, end it.

It is a fresh interpreter with its own pipe, not a ``multiprocessing`` child: that would import the caller's main
module again (Prefect's, a notebook's), exchange pickles with a process that reads hostile files, and share locks
with one that may have to be killed. What is said is JSON and bytes; nothing that comes back is executed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

START_S = 120.0
MOST_BYTES = 2**28
"""Of one message: a stored picture has at most 4096 × 4096 pixels."""
SEND_S = 60
"""Seconds that a process may leave a message to it unread."""
ROOM = Path(__file__).parents[1]

KEPT_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TMPDIR")
"""A process that reads hostile files gets no tokens and keys."""


class WorkerLost(Exception):
    """The process ended before it answered, or answered what it never would; its text says what, if known."""


class ChildProcess:
    """``python -m module DESCRIPTOR ARGUMENTS``, which says ``{"ready": true}`` first; ``what`` it is in a message.

    Not for use by two threads at a time. Raises RuntimeError where it does not start. It must end by itself when its
    pipe closes.
    """

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], what: str, kept: Sequence[str] = ()
    ) -> None:
        self._pipe, theirs = Pipe()
        with socket.socket(fileno=os.dup(self._pipe.fileno())) as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno()), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(environment, kept),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        try:
            self._receive(START_S)
        except (WorkerLost, TimeoutError) as error:
            raise RuntimeError(f"{what} does not start: {self.end()}; see its message above") from error

    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self._process.poll() is None

    def end(self, wait_s: float = 1.0) -> str:
        """Ends the process and says how it ended, where it did so by itself: "SIGSEGV", "exit code 1"."""
        self._pipe.close()  # an idle one stops at that
        try:
            code = self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _send(self, message: Mapping[str, Any]) -> None:
        self._send_bytes(json.dumps(message).encode())

    def _send_bytes(self, data: bytes) -> None:
        try:
            self._pipe.send_bytes(data)
        except BlockingIOError as error:
            raise TimeoutError from error
        except OSError as error:
            raise WorkerLost from error

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


def _environment(more: Mapping[str, str], kept: Sequence[str]) -> dict[str, str]:
    """What the process inherits: variables named in KEPT_ENVIRONMENT, or that begin as ``kept`` says, and ``more``."""
    names = (name for name in os.environ if name in KEPT_ENVIRONMENT or name.startswith(tuple(kept)))
    path = os.pathsep.join([str(ROOM), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
    return {**{name: os.environ[name] for name in names}, **more, "PYTHONPATH": path}
