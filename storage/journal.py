"""What happens in a run, as JSON lines: logs/<run id>.jsonl, each with its run, attempt, stage and shard.

Modules log as Python programs do. ``about`` says what the code is busy with; threads and tasks that are started with
their starter's context inherit it. ``keeping`` puts on file what is logged meanwhile. A line is one write at the end of
the file, so that many processes may write it and a kill cuts off the last line at most, which readers leave out.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from storage.layout import Layout

ROOMS = ("model", "storage", "tasks", "flows")
"""Names of the loggers of this program; of all others warnings and errors are kept."""

LONGEST = 64_000
"""Bytes of a line, more or less: tracebacks are cut."""

_WHERE: ContextVar[Mapping[str, Any]] = ContextVar("where", default={})  # noqa: B039  # never changed in place
_ELSEWHERE: ContextVar[bool] = ContextVar("elsewhere", default=False)
_KEPT: dict[str, _Lines] = {}

Line = dict[str, Any]


@contextmanager
def about(**where: Any) -> Iterator[None]:
    """Says what is being worked on: run_id, attempt, stage, shard. What is not named stays as it was."""
    token = _WHERE.set({**_WHERE.get(), **where})
    try:
        yield
    finally:
        _WHERE.reset(token)


def where() -> Mapping[str, Any]:
    """What is being worked on here."""
    return _WHERE.get()


@contextmanager
def told_elsewhere() -> Iterator[None]:
    """Meanwhile ``keeping`` keeps nothing: what is logged is sent to a process that does."""
    token = _ELSEWHERE.set(True)
    try:
        yield
    finally:
        _ELSEWHERE.reset(token)


@contextmanager
def keeping(layout: Layout, run_id: str) -> Iterator[None]:
    """Keeps what is logged meanwhile in the run's file. A log that cannot be written stops nothing."""
    path = str(layout.log(run_id))
    if path in _KEPT or _ELSEWHERE.get():  # shards in threads of one process; or in one that tells another
        yield
        return
    handler = _Lines(layout, run_id)
    _KEPT[path] = handler
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ROOMS]
    levels = [logger.level for logger in ours]
    handlers = [handler, *([] if root.handlers else [_on_terminal()])]
    for logger in ours:
        logger.setLevel(min(logger.level or logging.INFO, logging.INFO))
    for one in handlers:
        root.addHandler(one)
    try:
        yield
    finally:
        for one in handlers:
            root.removeHandler(one)
        for logger, level in zip(ours, levels, strict=True):
            logger.setLevel(level)
        del _KEPT[path]
        handler.close()


def lines(
    layout: Layout, run_id: str, *, stage: str | None = None, shard: int | None = None, attempt: int | None = None
) -> Iterator[Line]:
    """The lines of a run, first to last, or those of a stage, shard or attempt."""
    wanted = {"stage": stage, "shard": shard, "attempt": attempt}
    wanted = {name: value for name, value in wanted.items() if value is not None}
    try:
        file = layout.log(run_id).open(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return
    with file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:  # cut off by a kill
                continue
            if isinstance(line, dict) and all(line.get(name) == value for name, value in wanted.items()):
                yield line


def _on_terminal() -> logging.Handler:
    """What Python does with warnings where nobody listens. Records with facts are told by their own command."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.addFilter(lambda record: not hasattr(record, "facts"))
    return handler


def last(layout: Layout, run_id: str) -> Line | None:
    """The last line, without reading those before; None where there is none."""
    try:
        with layout.log(run_id).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LONGEST))
            tail = file.read().split(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    for text in reversed(tail):
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            return line
    return None


class _Lines(logging.Handler):
    """Appends records as JSON. ``extra={"facts": {…}}`` of a record becomes fields of its line."""

    def __init__(self, layout: Layout, run_id: str) -> None:
        super().__init__()
        self._path, self._run_id = layout.log(run_id), run_id

    def emit(self, record: logging.LogRecord) -> None:
        here = _WHERE.get()
        if here.get("run_id", self._run_id) != self._run_id:
            return
        line: Line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "run_id": self._run_id,
            **{name: here.get(name) for name in ("attempt", "stage", "shard")},
            "logger": record.name,
            "pid": record.process,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["traceback"] = "".join(traceback.format_exception(*record.exc_info))[-8000:]
        try:
            self._append(json.dumps(line, default=str).encode() + b"\n")
        except OSError:  # a full disk must not stop a run that could go on, nor hide why it stopped
            return

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)
