"""A deadline for all that one request to a server takes, whatever the server sends in it.

httpx bounds each silence, not their sum: a server that sends its headers a byte at a time, or "100 Continue" without
end, would hold a thread for ever. httpcore's network backend is where every wait happens, so that is bounded here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

_PIECE = 1 << 16
"""Bytes that are sent between two looks at the clock."""

_of_thread = threading.local()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """What this thread sends and receives by a Transport in here takes at most ``seconds``, or times out."""
    _of_thread.end = time.monotonic() + seconds
    try:
        yield
    finally:
        del _of_thread.end


class Transport(httpx.HTTPTransport):
    """httpx's own with so many connections, over a network backend that knows ``within``."""

    def __init__(self, connections: int) -> None:
        context = httpx.create_ssl_context()  # SSL_CERT_FILE is heeded: it makes no request go elsewhere
        super().__init__(verify=context)
        self._pool = httpcore.ConnectionPool(  # httpx has no argument for the backend
            ssl_context=context,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,
            network_backend=_Backend(),
        )


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, left, local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for at in range(0, len(buffer), _PIECE):
            self._stream.write(buffer[at : at + _PIECE], _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None, fault: type[Exception]) -> float | None:
    """How long a wait may take. Raises ``fault`` where no time is left."""
    end = getattr(_of_thread, "end", None)
    if end is None:
        return timeout
    left: float = end - time.monotonic()
    if left <= 0:
        raise fault("the time for this request is over")
    return left if timeout is None else min(timeout, left)
