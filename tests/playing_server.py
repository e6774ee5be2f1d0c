"""A chat-completions server on 127.0.0.1 that plays what a test tells it to, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """``hangs``: sends nothing before the server ends. ``drips``: one byte at a time.

    ``breaks``: hangs up after so many bytes of the body, -1 before anything.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs: bool = False
    drips: bool = False
    breaks: int | None = None


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


def says(text: object, finish: object = "stop", **more: object) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return Reply(json.dumps({"object": "chat.completion", "choices": [choice], **more}).encode())


def lists(*ids: str) -> Reply:
    return Reply(json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ids]}).encode())


Play = Callable[[Seen, int], Reply]
"""Of a request and how many came before it."""


@dataclass
class Playing:
    url: str
    port: int
    seen: list[Seen]
    most_at_once: int = 0


@contextmanager
def playing(*replies: Reply, play: Play | None = None) -> Iterator[Playing]:
    """Plays ``replies`` one after the other, the last one again and again, or what ``play`` says."""
    lock, over = threading.Lock(), threading.Event()
    now = 0

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            nonlocal now
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            request = Seen(self.command, self.path, dict(self.headers), json.loads(content) if content else None)
            with lock:
                number = len(server.seen)
                server.seen.append(request)
                now += 1
                server.most_at_once = max(server.most_at_once, now)
            try:
                reply = play(request, number) if play else replies[min(number, len(replies) - 1)]
            finally:
                with lock:
                    now -= 1  # before it is sent: who has it may ask again before this thread goes on
            self._reply(reply)

        do_GET = do_POST  # noqa: N815

        def _reply(self, reply: Reply) -> None:
            if reply.hangs:
                over.wait()
                self.close_connection = True
                return
            if reply.breaks is not None:
                self.close_connection = True
            if reply.breaks == -1:
                return
            with suppress(ConnectionError):  # a client that has seen enough hangs up
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if not reply.drips:
                    self.wfile.write(reply.body[: reply.breaks])
                for place in range(len(reply.body) * reply.drips):
                    self.wfile.write(reply.body[place : place + 1])
                    if over.wait(0.02):
                        return

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False
        block_on_close = True

        def handle_error(self, *_: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as http:
        port = http.server_address[1]
        server = Playing(f"http://127.0.0.1:{port}/v1", port, [])
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            over.set()
            http.shutdown()
            thread.join()


def refusing_port() -> int:
    """A port where nobody listens."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
