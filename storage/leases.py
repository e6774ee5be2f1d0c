"""One process at a time for one thing of a workspace in a bucket: an object that its holder renews.

Taking, renewing and giving back are conditional writes, so of two that try one gets it. The holder writes the object
anew every ``RENEW`` of its time; one that has not been written for the whole of it, by the server's clock, may be taken
over, and so may one whose process on this machine is gone. A holder that could not renew in time writes nothing more.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from model.errors import WorkspaceLocked
from storage.mirror import Mirror
from storage.remote import Bucket, Conflict, Found

SECONDS = "DIALOGUELLM_LEASE_SECONDS"
"""Environment variable: how long after its last sign of life what a process holds may be taken over; default 60."""

RENEW = 1 / 6
ASK_AGAIN_S = 1.0


@contextmanager
def leased(mirror: Mirror, path: Path, title: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """Holds the lease at ``path``. Raises WorkspaceLocked saying who has it; a write after it was lost raises too."""
    lease = _Lease(mirror, mirror.name(path), title)
    until = time.monotonic() + wait_s
    while (holder := lease.take()) is not None:
        if time.monotonic() >= until:
            raise WorkspaceLocked(_in_use(title, *holder))
        time.sleep(ASK_AGAIN_S)
    ended = threading.Event()
    keeper = threading.Thread(target=lease.keep, args=(ended,), daemon=True, name=f"lease {title}")
    mirror.guards.append(lease.check)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        mirror.guards.remove(lease.check)
        keeper.join()
        lease.give_back()


def is_held(bucket: Bucket, name: str) -> bool:
    """Whether a process holds the lease of that name, as far as the bucket tells."""
    found = bucket.read(name)
    holder = _holder(found[0]) if found else {}
    return bool(found and holder.get("held") and found[1].age < seconds() and not _gone(holder))


class _Lease:
    def __init__(self, mirror: Mirror, name: str, title: str) -> None:
        self._bucket, self._name, self._title = mirror.bucket, name, title
        self._mine = {"token": secrets.token_hex(8), "held": True, "since": time.time(), **_here()}
        self._etag = ""
        self._renewed = 0.0
        self._lost = False

    def take(self) -> tuple[dict[str, Any], Found] | None:
        """None once it is ours, else who has it."""
        before = self._bucket.read(self._name)
        holder = _holder(before[0]) if before else {}
        if before and holder.get("held") and before[1].age < seconds() and not _gone(holder):
            return holder, before[1]
        started = time.monotonic()
        try:
            self._etag = self._write(before[1].etag if before else None)
        except Conflict:
            return self._again()
        self._renewed = started
        return None

    def _again(self) -> tuple[dict[str, Any], Found] | None:
        """Somebody was quicker; or it was ourselves, where a PUT was sent twice because its answer was lost."""
        found = self._bucket.read(self._name)
        if found is None:
            return {}, Found(0, "")
        holder = _holder(found[0])
        if holder.get("token") != self._mine["token"]:
            return holder, found[1]
        self._etag, self._renewed = found[1].etag, time.monotonic() - found[1].age
        return None

    def keep(self, ended: threading.Event) -> None:
        while not ended.wait(seconds() * RENEW):
            started = time.monotonic()
            try:
                self._etag = self._write(self._etag)
                self._renewed = started
            except Conflict:
                self._lost = self._again() is not None
            except Exception:  # out of reach: the next try may get through, and check() knows how long it has been
                continue
            if self._lost:
                return

    def check(self) -> None:
        """Raises WorkspaceLocked unless this is still ours beyond doubt."""
        if self._lost or time.monotonic() - self._renewed > seconds() * (1 - RENEW):
            raise WorkspaceLocked(
                f"{self._title!r} was taken over by another process while this one could not renew it: "
                "nothing more is written; run again, what is finished is kept"
            )

    def give_back(self) -> None:
        self._mine["held"] = False
        with suppress(Conflict, Exception):
            self._write(self._etag)

    def _write(self, etag: str | None) -> str:
        self._mine["beat"] = self._mine.get("beat", 0) + 1  # else an object written twice would have the same ETag
        text = json.dumps(self._mine).encode()
        return self._bucket.put(self._name, text, match=etag, absent=etag is None, kind="application/json")


def seconds() -> float:
    try:
        return max(1.0, float(os.environ.get(SECONDS, "60")))
    except ValueError:
        return 60.0


def _holder(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _here() -> dict[str, Any]:
    own = psutil.Process()
    return {"host": platform.node(), "pid": own.pid, "started": own.create_time(), "place": _place()}


def _place() -> str | None:
    """Where process ids mean the same: this start of the system, this namespace of ids; None where it is not known."""
    with suppress(OSError):
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    return None


def _gone(holder: Mapping[str, Any]) -> bool:
    """Whether it was a process of this machine that is no more."""
    if _place() is None or holder.get("place") != _place():
        return False
    try:
        return bool(abs(psutil.Process(int(holder["pid"])).create_time() - float(holder["started"])) > 1)
    except psutil.NoSuchProcess:
        return True
    except (psutil.Error, KeyError, ValueError, TypeError):
        return False


def _in_use(title: str, holder: Mapping[str, Any], found: Found) -> str:
    left = max(0, round(seconds() - found.age))
    return (
        f"{title!r} is in use by process {holder.get('pid', '?')} on {holder.get('host', '?')}: wait for it, or stop "
        f"that process; if that machine is gone, try again in {left} s"
    )
