"""The deadline itself; what servers do with it: tests/faults/test_endpoints.py."""

from __future__ import annotations

import threading

import httpx
import pytest
from raw_server import GOOD, Line, speaking

from model.server_deadline import Transport, within


def answers(line: Line) -> None:
    line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(GOOD), GOOD)


def waits(line: Line) -> None:
    line.over.wait(20)


def test_without_a_deadline_it_is_the_usual_transport() -> None:
    with speaking(answers) as raw, httpx.Client(transport=Transport(1)) as client:
        assert client.post(f"http://127.0.0.1:{raw.port}/", content=b"x" * 200_000).content == GOOD
    assert len(raw.heard[0]) > 200_000


def test_the_shorter_of_both_times_counts() -> None:
    for deadline, timeout in ((0.05, 20.0), (20.0, 0.05)):
        client = httpx.Client(transport=Transport(1), timeout=timeout)
        with speaking(waits) as raw, client, within(deadline), pytest.raises(httpx.ReadTimeout):
            client.get(f"http://127.0.0.1:{raw.port}/")


def test_what_is_over_is_not_begun() -> None:
    with speaking(answers) as raw, httpx.Client(transport=Transport(1)) as client:
        with within(-1.0), pytest.raises(httpx.ConnectTimeout, match="the time for this request is over"):
            client.get(f"http://127.0.0.1:{raw.port}/")
        assert client.get(f"http://127.0.0.1:{raw.port}/").content == GOOD, "it is over with the block"
    assert len(raw.heard) == 1


def test_each_thread_has_its_own() -> None:
    found: list[bytes] = []
    with speaking(answers) as raw, httpx.Client(transport=Transport(2)) as client, within(-1.0):
        url = f"http://127.0.0.1:{raw.port}/"
        other = threading.Thread(target=lambda: found.append(client.get(url).content))
        other.start()
        other.join()
    assert found == [GOOD]
