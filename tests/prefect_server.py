"""One real Prefect server for all tests that need one: its own home and port, no analytics, ended with the session."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

Found = TypeVar("Found")

START_S = 180


@dataclass(frozen=True)
class Server:
    """``api`` is what PREFECT_API_URL holds; ``home`` has its database and its log."""

    api: str
    home: Path

    def environment(self) -> dict[str, str]:
        """The environment of a program that uses this server."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        own = {"HOME": str(self.home), "PREFECT_HOME": str(self.home / "prefect"), "PREFECT_API_URL": self.api}
        return {**kept, **quiet, **own}

    def prefect(self, *arguments: str, folder: Path, code: int = 0) -> str:
        """What a ``prefect`` command prints; its exit code is checked."""
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        found = subprocess.run(
            command, env=self.environment(), cwd=folder, capture_output=True, text=True, timeout=300, check=False
        )
        assert found.returncode == code, f"{found.stdout}\n{found.stderr}"
        return found.stdout + found.stderr

    def filtered(self, what: str, **query: Any) -> list[dict[str, Any]]:
        """The rows that ``POST /<what>/filter`` answers."""
        answer = httpx.post(f"{self.api}/{what}/filter", json=query, timeout=60, trust_env=False)
        answer.raise_for_status()
        found = answer.json()
        return list(found["events"] if what == "events" else found)


@contextmanager
def as_client(server: Server) -> Iterator[Server]:
    """This process as the server's client: flows that a test calls are flow runs there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(server.home / "client"))  # read when prefect is imported
        from prefect.events.worker import EventsWorker
        from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_ENABLED, temporary_settings

        with temporary_settings({PREFECT_API_URL: server.api, PREFECT_LOGGING_TO_API_ENABLED: False}):
            yield server
            EventsWorker.drain_all()


def until(found: Callable[[], Found], seconds: float = 90) -> Found:
    """What ``found`` returns as soon as it is true; the server works in the background."""
    end = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < end, "the server did not come to it"
        time.sleep(0.3)
    return answer


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """A server that answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(f"http://127.0.0.1:{port}/api", home)
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    environment = {name: value for name, value in server.environment().items() if name != "PREFECT_API_URL"}
    with (home / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=home)
    try:
        until(lambda: _answers(server, process), START_S)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(server: Server, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, (server.home / "server.log").read_text()
    try:
        return httpx.get(f"{server.api}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
