"""The command line with an ear on its own file operations: says where it is, and ends itself before a chosen one.

Started by soak.py: ``victim.py run CONFIG --direct``, with SOAK_PIPE (a descriptor to write lines to), SOAK_ROOT (the
workspace) and SOAK_SPEC, ``{"place": "captions", "kind": "move part", "nth": 2}`` or ``{}``. Python's audit events come
before an operation is done, so a step is never half done when the process ends. No code of the project is changed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from typing import Any

ENDS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.copyfile", "shutil.rmtree", "open"}
WORDS = {
    "os.rename": "move",
    "os.remove": "remove",
    "os.mkdir": "make",
    "os.rmdir": "remove",
    "shutil.copyfile": "copy",
    "shutil.rmtree": "remove",
    "open": "create",
}
NAMES = (
    (r"part-\d+\.failed\.json", "failure"),
    (r"lake/rejects/.*part-\d+\.parquet", "rejects"),
    (r"part-\d+\.parquet", "part"),
    (r"part-\d+\.json", "manifest"),
    (r"part-empty\.parquet", "empty part"),
    (r"stage\.json", "list of shards"),
    (r"results\.duckdb", "database"),
    (r"attempt-\d+\.json", "attempt"),
    (r"runs/.*\.json", "record of the run"),
    (r"locks/", "lock"),
    (r"logs/", "log"),
    (r"checkpoints/best", "best adapter so far"),
    (r"checkpoints", "checkpoint"),
    (r"training\.json", "record of the training"),
    (r"adapter", "adapter"),
    (r"reports/", "report"),
    (r"cache/", "cache"),
    (r"workspace\.json", "workspace"),
)
STAGE_LOCK = re.compile(r"/locks/_([a-z]+)-[0-9a-f]+\.lock$")
MIGRATION = re.compile(r"/storage/migrations/(\d+)_.*\.sql$")


class Ear:
    """Knows the place, counts operations of the workspace by kind, and kills at the one that was asked for."""

    def __init__(self, pipe: int, root: str, spec: dict[str, Any]) -> None:
        self.pipe, self.root, self.spec = pipe, root, spec
        self.place, self.seen = "start", 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in ENDS:
            return
        path = arguments[1] if event == "os.rename" or event == "shutil.copyfile" else arguments[0]
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        if event == "open":
            self._look(text)
            if not (isinstance(arguments[2], int) and arguments[2] & (os.O_CREAT | os.O_TRUNC)):
                return
        if text.startswith(self.root):
            self._operation(f"{WORDS[event]} {named(text[len(self.root) :])}")

    def _look(self, path: str) -> None:
        if found := STAGE_LOCK.search(path):
            self._go(found[1])
        elif path.endswith("/locks/_warehouse.lock"):
            self._go("publishing")
        elif self.place == "publishing" and MIGRATION.search(path):
            self.say(f"migration {MIGRATION.search(path)[1]}")  # type: ignore[index]

    def _go(self, place: str) -> None:
        if place != self.place:
            self.place = place
            self.say(f"place {place}")

    def _operation(self, kind: str) -> None:
        self.say(f"step {self.place}|{kind}")
        if not self.spec or (self.seen == 0 and self.place != self.spec["place"]):
            return
        left = self.place != self.spec["place"]
        self.seen += left or kind == self.spec["kind"]
        if left or self.seen >= self.spec["nth"]:
            self.say(f"killed {self.place}|{kind}")
            end(self.spec.get("alone", False))

    def say(self, line: str) -> None:
        os.write(self.pipe, line.encode() + b"\n")


def named(path: str) -> str:
    return next((name for pattern, name in NAMES if re.search(pattern, path)), "folder")


def end(alone: bool) -> None:
    if alone:
        os.kill(os.getpid(), signal.SIGKILL)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.addaudithook(
        Ear(int(os.environ["SOAK_PIPE"]), os.environ["SOAK_ROOT"], json.loads(os.environ.get("SOAK_SPEC", "{}")))
    )
    from flows.cli import main

    main()
