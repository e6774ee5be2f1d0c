"""Many requests to one server at once: as many as were agreed, and none after one that says all would fail."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

from model.chat_server import ChatServer
from model.errors import VideoError

if TYPE_CHECKING:
    import httpx

Made = TypeVar("Made")

Call = Callable[["httpx.Client", int, threading.Event], Made]
"""Makes result number so-and-so; gives up when the event is set. A VideoError is the fault of this one."""


def call_all(
    server: ChatServer, count: int, requests: int, call: Call[Made], progress: Callable[[int], None]
) -> list[Made | VideoError]:
    """What ``call`` makes of 0 … ``count`` - 1, at most ``requests`` at once.

    ``progress`` is told how many are done. ServerError, as soon as one call meets it, for what all of them would.
    """
    stop = threading.Event()
    results: dict[int, Made | VideoError] = {}

    def one(client: httpx.Client, index: int) -> Made | VideoError:
        try:
            return call(client, index, stop)
        except VideoError as error:
            return error

    with server.connected(requests) as client, ThreadPoolExecutor(requests) as pool:
        asked = {pool.submit(one, client, index): index for index in range(count)}
        try:
            for done in as_completed(asked):
                results[asked[done]] = done.result()
                progress(len(results))
        finally:
            stop.set()  # waits for another try end now
            pool.shutdown(wait=True, cancel_futures=True)
    return [results[index] for index in range(count)]
