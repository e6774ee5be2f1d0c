from __future__ import annotations

import threading
from typing import Any

import pytest
from playing_server import playing

from model.chat_server import ChatServer
from model.errors import ServerError, VideoError
from model.server_calls import call_all


def test_results_come_in_order_and_a_fault_is_one_of_them() -> None:
    told: list[int] = []

    def call(_client: Any, index: int, _stop: threading.Event) -> int:
        if index == 2:
            raise VideoError("refused", "number two")
        return index * 10

    with playing() as server:
        found = call_all(ChatServer(server.url), 5, 3, call, told.append)
    assert [one if isinstance(one, int) else one.reason for one in found] == [0, 10, "refused", 30, 40]
    assert told == [1, 2, 3, 4, 5]


def test_what_all_would_meet_stops_the_others() -> None:
    begun: list[int] = []

    def call(_client: Any, index: int, stop: threading.Event) -> int:
        begun.append(index)
        if index == 0:
            raise ServerError("the key is refused")
        assert stop.wait(20), "nobody said stop"
        return index

    with playing() as server, pytest.raises(ServerError, match="the key is refused"):
        call_all(ChatServer(server.url), 50, 2, call, lambda _done: None)
    assert len(begun) < 5
