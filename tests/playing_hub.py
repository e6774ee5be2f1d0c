"""A model hub on this machine with one gated model: anybody may see that it is there, nobody gets a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """Answers as the hub does: 401 to a stranger, 403 to an account that was not granted access."""

    def do_GET(self) -> None:
        if "/tree/" in self.path:
            self._answer(200, [{"type": "file", "path": "config.json", "size": 9, "oid": "0" * 40}])
        elif self.path.startswith("/api/models/org/gated/"):
            self._answer(200, {"id": "org/gated", "sha": COMMIT, "gated": "manual", "siblings": []})
        elif self.path.startswith("/org/gated/"):
            self._answer(403 if self.headers.get("authorization") else 401, {}, "GatedRepo")
        else:
            self._answer(404, {}, "RepoNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self, status: int, value: object, code: str = "") -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if code:
            self.send_header("x-error-code", code)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def hub() -> Iterator[str]:
    """The address of a hub that lives as long as the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def asked(address: str, home: Path, code: str, token: str = "") -> str:
    """What ``code`` prints in a process of its own that knows this hub: its client reads the address once."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env = {**kept, "HF_ENDPOINT": address, "HF_HOME": str(home), "HF_TOKEN": token, "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=300
    )
    return done.stdout
