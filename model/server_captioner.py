"""The second ``Captioner``: a model that a server runs, asked over HTTP (``model/chat_server.py``)."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from model.caption_chat import Clip, chat
from model.caption_prompt import CaptionPrompt
from model.captioner import Described
from model.chat_server import ChatServer
from model.errors import VideoError
from model.pictures import decode_jpeg
from model.server_calls import call_all

if TYPE_CHECKING:
    import httpx


class ServerCaptioner:
    """``model`` on ``server``, asked at temperature 0 by at most ``requests`` threads at once.

    What a server answers is its own affair: weights, precision and batching are not pinned, so two servers, or one
    at two times, may say different things under the same name. Tokens are 0 where the server does not count.
    """

    def __init__(self, server: ChatServer, model: str, requests: int = 8) -> None:
        self.server = server
        self.model = model
        self.requests = requests
        self._slots = threading.BoundedSemaphore(requests)  # shards that run at once share them

    def revision(self) -> str:
        """``server:ID`` with the id that the server lists: the model's, or of an only one; else ``server``.

        ServerError where the server is out of reach or refuses the key.
        """
        with self.server.connected() as client:
            listed = self.server.models(client)
        if self.model in listed:
            return f"server:{self.model}"
        return f"server:{listed[0]}" if len(listed) == 1 else "server"

    def describe(
        self,
        clips: Sequence[Clip],
        prompt: CaptionPrompt,
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> list[Described | VideoError]:
        """As the protocol says; an utterance that the server fails gets a VideoError too.

        ServerError, as soon as one request meets it, for what all of them would.
        """
        started = time.perf_counter()

        def one(client: httpx.Client, index: int, stop: threading.Event) -> Described:
            return self._describe(client, clips[index].distinct(), prompt, max_new_tokens, stop)

        made = call_all(self.server, len(clips), self.requests, one, progress)
        share = (time.perf_counter() - started) / max(len(clips), 1)
        return [replace(item, seconds=share) if isinstance(item, Described) else item for item in made]

    def _describe(
        self, client: httpx.Client, clip: Clip, prompt: CaptionPrompt, max_new_tokens: int, stop: threading.Event
    ) -> Described:
        if not clip.jpegs:
            raise VideoError("no_frames", "there is no keyframe to describe")
        for jpeg in clip.jpegs:
            decode_jpeg(jpeg)  # what the captioner in the process refuses is not sent either
        with self._slots:
            answer = self.server.ask(client, self._body(clip, prompt, max_new_tokens), stop)
        return Described(answer.text, len(clip.jpegs), answer.n_tokens, 0.0, answer.n_prompt_tokens)

    def _body(self, clip: Clip, prompt: CaptionPrompt, max_new_tokens: int) -> dict[str, Any]:
        urls = (f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for jpeg in clip.jpegs)
        images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {
            "model": self.model,
            "messages": chat(clip, prompt, images),
            "max_tokens": max_new_tokens,
            "temperature": 0,
            "stream": False,
        }
