"""A chat-completions server of the kind that OpenAI's API made common: vLLM, SGLang, llama.cpp, transformers serve.

Requests go to the one server that was named: no redirect is followed, no proxy of the environment is used, and the
key, read from the environment for each connection, is in nothing but the Authorization header. Answers are from
outside: bounded in size, checked in shape.
"""

from __future__ import annotations

import email.utils
import os
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from model.caption_text import clean
from model.chat_answer import MAX_BYTES, Answer, answer_of, fault_said, object_of
from model.errors import ServerError, VideoError

if TYPE_CHECKING:
    import httpx

TRIES = 5
LONGEST_WAIT_S = 30.0
LONGEST_RETRY_AFTER_S = 60.0
CONNECT_S = 10.0

PASSING = frozenset({429, 500, 502, 503, 504})
REFUSED = frozenset({401, 403})
ABSENT = frozenset({404, 405})


class ChatServer:
    """``url`` is the API's root, such as http://127.0.0.1:8000/v1; ``key_env`` names the key's variable, if it is set.

    ``timeout_s`` bounds each silence, and the time that the body of an answer takes; a try takes at most twice as long,
    whatever is sent in it. ``per_minute`` limits requests, tries included, over all threads. ``first_wait_s`` is the
    wait before the second try; it doubles each time. ``section`` names the settings that errors speak of ("": options
    of a command), ``shorter`` the one that makes a request smaller.
    """

    def __init__(
        self,
        url: str,
        *,
        key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 120.0,
        per_minute: int | None = None,
        first_wait_s: float = 1.0,
        section: str = "captions",
        shorter: str = "captions.max_frames",
    ) -> None:
        self.url = url.rstrip("/")
        self.key_env = key_env
        self.timeout_s = timeout_s
        self.first_wait_s = first_wait_s
        self.section = section
        self.shorter = shorter
        self._pace = _Pace(60 / per_minute if per_minute else 0.0)

    @contextmanager
    def connected(self, connections: int = 1) -> Iterator[httpx.Client]:
        """A client of so many connections. ServerError for a key that no header can carry."""
        import httpx

        from model.server_deadline import Transport

        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "dialoguellm"}
        if key := self._key():
            headers["Authorization"] = f"Bearer {key}"
        with httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(self.timeout_s, connect=min(CONNECT_S, self.timeout_s), pool=None),
            transport=Transport(connections),
            follow_redirects=False,
            event_hooks={"response": [self._refuse_redirect]},  # comes before httpx reads where it should go
            trust_env=False,  # a proxy or .netrc of the environment must not see or change what is sent
        ) as client:
            yield client

    def ask(self, client: httpx.Client, body: Mapping[str, Any], stop: threading.Event) -> Answer:
        """The answer to one chat, tried again while the fault may pass and ``stop`` is not set.

        VideoError for a fault of this one chat: ``server_error``, ``timed_out``, ``bad_answer``, ``refused``.
        ServerError for one that every chat would meet: out of reach, key or model refused, a redirect.
        """
        for tried in range(1, TRIES + 1):
            self._pace.wait(stop)
            if stop.is_set():
                raise VideoError("server_error", "the stage was stopped")
            try:
                return answer_of(self._send(client, "POST", "/chat/completions", json=body))
            except _Passing as fault:
                if tried == TRIES:
                    raise fault.error from fault
                stop.wait(self._delay(tried, fault.retry_after_s))
        raise AssertionError  # the last try returns or raises

    def models(self, client: httpx.Client) -> list[str]:
        """The ids that the server says it serves, none where it does not say. ServerError as ``ask``."""
        try:
            listed = object_of(self._send(client, "GET", "/models"))["data"]
            ids = [clean(item["id"]) for item in listed]
        except _Passing as fault:
            if isinstance(fault.error, ServerError):
                raise fault.error from fault
            return []
        except (VideoError, LookupError, TypeError, AttributeError):  # not every server has such a list
            return []
        return [name[:200] for name in ids if name]

    def _send(self, client: httpx.Client, method: str, path: str, **content: Any) -> bytes:
        """The body of a good answer."""
        import httpx

        from model.server_deadline import within

        try:
            with within(2 * self.timeout_s), client.stream(method, self.url + path, **content) as response:
                body = self._body(response)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Passing(
                self._unusable(f"cannot be reached ({_one_line(error)}): start it or mend its address")
            ) from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._unusable("has no address that can be looked up: mend it") from error
        except httpx.TimeoutException as error:
            raise _Passing(self._late()) from error
        except httpx.TransportError as error:  # hung up, or spoke something else than HTTP
            detail = f"the server at {self.url} broke off ({type(error).__name__}); look at its log"
            raise _Passing(VideoError("server_error", detail)) from error
        if response.status_code == 200:
            return body
        raise self._fault(response, body, listing=method == "GET")

    def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise VideoError("bad_answer", "the server's answer is compressed, which it was asked not to do")
        body, end = bytearray(), time.monotonic() + self.timeout_s
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise VideoError("bad_answer", f"the server's answer has more than {MAX_BYTES:,} bytes")
            if time.monotonic() > end:
                raise _Passing(self._late())
        return self._without_key(bytes(body))

    def _fault(self, response: httpx.Response, body: bytes, *, listing: bool) -> Exception:
        """What a status other than 200 means."""
        status, said = response.status_code, fault_said(body)
        if status in REFUSED:
            return self._unusable(f"refused the key (status {status}): put the right one into {self.key_env}")
        if status in ABSENT and not listing:
            told = f"has no such model or address (status {status}{said})"
            return self._unusable(f"{told}: set {self._named('model')} to a name that it lists")
        if status in PASSING:
            detail = f"the server at {self.url} answered with status {status}{said} {TRIES} times; look at its log"
            return _Passing(VideoError("server_error", detail), _retry_after(response.headers.get("retry-after", "")))
        detail = f"the server at {self.url} refused the request (status {status}{said}); try {self.shorter} lower"
        return VideoError("refused", detail)

    def _refuse_redirect(self, response: httpx.Response) -> None:
        if 300 <= response.status_code < 400:
            location = self._without_key(response.headers.get("location", "").encode()).decode()
            told = f"sends on to {_host(location) or 'another address'}, which is not followed: name the right address"
            raise self._unusable(told)

    def _unusable(self, told: str) -> ServerError:
        return ServerError(f"the server at {self.url} {told}, or set {self._named('server')} to another one")

    def _late(self) -> VideoError:
        detail = f"the server at {self.url} took more than {self.timeout_s:g} s; raise "
        detail += f"{self._named('server_timeout_s')}, or lower {self._named('server_requests')}"
        return VideoError("timed_out", detail)

    def _named(self, setting: str) -> str:
        return f"{self.section}.{setting}" if self.section else f"--{setting.replace('_', '-')}"

    def _delay(self, tried: int, retry_after_s: float) -> float:
        backoff = min(LONGEST_WAIT_S, self.first_wait_s * float(2 ** (tried - 1))) * random.uniform(0.5, 1.0)
        return max(backoff, min(retry_after_s, LONGEST_RETRY_AFTER_S))

    def _key(self) -> str:
        key = os.environ.get(self.key_env, "").strip()
        if not re.fullmatch(r"[!-~]*", key):
            told = f"{self.key_env} holds characters that no key has (spaces, line ends, letters beyond ASCII)"
            raise ServerError(f"{told}: set it to the key of {self.url} alone, or unset it")
        return key

    def _without_key(self, said: bytes) -> bytes:
        """A server may repeat what it was sent. What is shorter than 8 characters is a placeholder, no secret."""
        key = self._key().encode()
        return said.replace(key, b"***") if len(key) >= 8 else said


class _Passing(Exception):
    """A fault that another try may not meet; ``error`` is what it is if it stays."""

    def __init__(self, error: VideoError | ServerError, retry_after_s: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after_s = retry_after_s


class _Pace:
    """Lets requests pass at least ``gap_s`` apart."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, stop: threading.Event) -> None:
        if not self._gap_s:
            return
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._gap_s
        stop.wait(turn - now)


def is_plain_address(url: str) -> bool:
    """Whether ``url`` is http or https with a host, and holds no user, password, query or fragment."""
    try:
        found = urlsplit(url)
        good = found.scheme in ("http", "https") and found.hostname and (found.port is None or found.port)
    except ValueError:
        return False
    return bool(good) and bool(re.fullmatch(r"[!-~]+", url)) and not re.search(r"[@?#\\]", url)


def _host(location: str) -> str:
    """Host and port of a redirect, without what else may stand in it."""
    try:
        found = urlsplit(location)
        port = f":{found.port}" if found.port else ""
    except ValueError:
        return ""
    return clean(found.hostname or "")[:100] + port


def _retry_after(value: str) -> float:
    """Seconds of a Retry-After header, 0 where it says nothing that can be used."""
    if re.fullmatch(r"\d{1,9}", value, re.ASCII):
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _one_line(error: Exception) -> str:
    return clean(str(error))[:200] or type(error).__name__
