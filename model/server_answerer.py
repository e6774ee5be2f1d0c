"""Prompts answered by a model that a server runs (``model/chat_server.py``): the baseline that nobody tuned here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from model.chat_server import ChatServer
from model.errors import VideoError
from model.generation import Generated
from model.server_calls import call_all

if TYPE_CHECKING:
    import httpx

Messages = tuple[tuple[str, str], ...]
"""(role, content) of each turn, as ``Instruction.messages`` has them."""


class ServerAnswerer:
    """``model`` on ``server``, asked at temperature 0 by at most ``requests`` threads at once.

    Weights, precision and batching are the server's own affair: at two times it may say different things.
    """

    def __init__(self, server: ChatServer, model: str, requests: int = 8) -> None:
        self.server = server
        self.model = model
        self.requests = requests
        self._slots = threading.BoundedSemaphore(requests)  # shards that run at once share them

    def answer(
        self,
        chats: Sequence[Messages],
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> list[Generated | VideoError]:
        """An answer, or the fault, for each chat in their order; ``n_tokens`` of 0 where the server does not count.

        ``seconds`` is an answer's share of the wall time. ServerError, as soon as one request meets it, for what all
        of them would.
        """
        started = time.perf_counter()

        def one(client: httpx.Client, index: int, stop: threading.Event) -> Generated:
            body = {
                "model": self.model,
                "messages": [{"role": role, "content": content} for role, content in chats[index]],
                "max_tokens": max_new_tokens,
                "temperature": 0,
                "stream": False,
            }
            with self._slots:
                found = self.server.ask(client, body, stop)
            return Generated(found.text, found.n_prompt_tokens, found.n_tokens, 0.0)

        made = call_all(self.server, len(chats), self.requests, one, progress)
        share = (time.perf_counter() - started) / max(len(chats), 1)
        return [replace(item, seconds=share) if isinstance(item, Generated) else item for item in made]
