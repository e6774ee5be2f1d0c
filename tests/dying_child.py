"""A copy of this process that is killed before a chosen operation on a folder."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

STEPS = {"os.rename": 1, "os.remove": 0, "os.rmdir": 0, "os.mkdir": 0, "open": 0}
"""Audit events of operations that change what lies in a folder, and which of their arguments is the path."""


def in_a_child_that_dies_at(step: int, folder: Path, work: Any) -> bool:
    """Whether a copy of this process came to the end of ``work``: it dies before its ``step``-th operation there."""
    child = os.fork()
    if child == 0:
        seen = 0

        def listen(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal seen
            if event not in STEPS:
                return
            path = str(arguments[STEPS[event]])
            inside = event in ("os.remove", "os.rmdir") and "/" not in path  # a folder is removed name by name
            if inside or path.startswith(str(folder)):
                if seen == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

        sys.addaudithook(listen)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
