"""One process at a time for one thing: a kernel lock that dies with its process, and a note of who holds it.

Of a workspace in a bucket, which many machines share, a lease (storage/leases.py).
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from model.atomic import write_json
from model.errors import WorkspaceLocked
from storage import files
from storage.layout import Layout
from storage.ledger import now
from storage.shards import read_manifest

WAREHOUSE = "_warehouse"
"""The lock of results.duckdb; no run can have this name."""


@contextmanager
def holding(layout: Layout, name: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the workspace's lock ``name``. Raises WorkspaceLocked saying who has it and since when."""
    path = layout.lock(name)
    if layout.mirror:
        from storage.leases import leased

        with leased(layout.mirror, path.with_suffix(".json"), name, wait_s=wait_s):
            files.refresh(layout, layout.runs)  # another machine may have run this since it was last looked at
            yield
        return
    note = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=wait_s)
    try:
        lock.acquire()
    except Timeout:
        holder = read_manifest(note) or {}
        raise WorkspaceLocked(
            f"{name!r} is in use by process {holder.get('pid', '?')} on {holder.get('host', '?')} "
            f"since {holder.get('since', '?')}: wait for it, or stop that process"
        ) from None
    try:
        write_json(note, {"pid": os.getpid(), "host": platform.node(), "since": now()})
        yield
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether a process holds the lock of this file; no where that cannot be asked."""
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False
