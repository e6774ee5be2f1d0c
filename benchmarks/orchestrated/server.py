"""A Prefect server whose CPU time and database are watched, and the processes that use it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from crashes.setting import environment, start_server

NOOP = Path(__file__).with_name("noop.py")


@dataclass(slots=True)
class Watched:
    """A server with its own home; ``api`` is its address."""

    home: Path
    api: str
    process: subprocess.Popen[bytes]
    starts_in: float

    def run(self, *arguments: str) -> dict[str, Any]:
        """A flow of noop.py beside this server: what it printed, and server_cpu, db_bytes and drained_seconds.

        ``drained_seconds``: from the flow's end until the server had all its task runs on record as completed.
        """
        before, size, known = self.cpu(), self.size(), self.completed()
        command = [sys.executable, str(NOOP), *arguments]
        quiet = {"PREFECT_API_URL": self.api, "PREFECT_LOGGING_LEVEL": "WARNING"}
        done = subprocess.run(
            command, env=environment(self.home / "client", **quiet), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        ended, wanted = time.monotonic(), known + found["tasks"]
        while self.completed() < wanted and time.monotonic() < ended + 300:
            time.sleep(0.5)
        found["lost"] = max(0, wanted - self.completed())
        found["drained_seconds"] = time.monotonic() - ended
        found["server_cpu"] = self.cpu() - before
        found["db_bytes"] = self.size() - size
        return found

    def cpu(self) -> float:
        """CPU seconds of the server and what it started."""
        total = 0.0
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            for process in [own, *own.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    total += times.user + times.system
        return total

    def size(self) -> int:
        """Bytes of its database, with what is not merged into it yet."""
        return sum(path.stat().st_size for path in (self.home / "prefect").glob("prefect.db*"))

    def completed(self) -> int:
        """Task runs that it has on record as completed."""
        path = self.home / "prefect" / "prefect.db"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            query = "SELECT count(*) FROM task_run WHERE state_type = 'COMPLETED'"
            return int(connection.execute(query).fetchone()[0])

    def stop(self) -> None:
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.process.kill()


def start(home: Path, port: int) -> Watched:
    home.mkdir(parents=True)
    (home / "client").mkdir()
    started = time.monotonic()
    process = start_server(home, port)
    return Watched(home, f"http://127.0.0.1:{port}/api", process, time.monotonic() - started)
