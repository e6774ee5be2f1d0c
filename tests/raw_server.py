"""A server on 127.0.0.1 that says to each caller what a test tells it to, byte by byte if need be."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

GOOD = b'{"choices": [{"message": {"content": "joy"}}]}'


@dataclass
class Raw:
    """``heard`` is all that callers sent, one after the other."""

    port: int
    heard: list[bytes] = field(default_factory=list)


@dataclass
class Line:
    """One caller's line. ``over`` is set when the test is."""

    socket: socket.socket
    over: threading.Event

    def say(self, *parts: bytes, apart_s: float = 0.0) -> bool:
        """Whether all was taken."""
        with suppress(OSError):
            for part in parts:
                self.socket.sendall(part)
                if apart_s and self.over.wait(apart_s):
                    return False
            return True
        return False


Talk = Callable[[Line], None]


@contextmanager
def speaking(talk: Talk, context: ssl.SSLContext | None = None) -> Iterator[Raw]:
    """Hears a request of at most a megabyte out, then lets ``talk`` answer, and hangs up; over TLS with ``context``."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    raw = Raw(listening.getsockname()[1])
    callers: list[threading.Thread] = []

    def one(caller: socket.socket) -> None:
        with suppress(OSError), caller:
            caller.settimeout(10)
            line = context.wrap_socket(caller, server_side=True) if context else caller
            with line:
                raw.heard.append(_request(line))
                talk(Line(line, over))

    def all_() -> None:
        with suppress(OSError):
            while True:
                caller = listening.accept()[0]
                if over.is_set():
                    caller.close()
                    return
                callers.append(threading.Thread(target=one, args=(caller,)))
                callers[-1].start()

    accepting = threading.Thread(target=all_)
    accepting.start()
    try:
        yield raw
    finally:
        over.set()
        with suppress(OSError), socket.create_connection(("127.0.0.1", raw.port)):
            pass
        accepting.join()
        listening.close()
        for thread in callers:
            thread.join()


def _request(line: socket.socket) -> bytes:
    """A POST as httpx sends it, or whatever it is that came."""
    found = b""
    while b"\r\n\r\n" not in found and len(found) < 1 << 20:
        if not (more := line.recv(65536)):
            return found
        found += more
        if found[0] == 0x16:  # a TLS handshake, which has no end of line
            return found
    head, _, body = found.partition(b"\r\n\r\n")
    length = next((int(row[15:]) for row in head.lower().split(b"\r\n") if row.startswith(b"content-length:")), 0)
    while len(body) < length:
        if not (more := line.recv(65536)):
            break
        body += more
    return head + b"\r\n\r\n" + body
