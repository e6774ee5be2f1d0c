"""One chat with a server that does all that servers do; each fault ends as a reject or as one clear error."""

from __future__ import annotations

import email.utils
import logging
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playing_server import Reply, lists, playing, refusing_port, says

from model import chat_server
from model.chat_answer import MAX_BYTES
from model.chat_server import TRIES, ChatServer, is_plain_address
from model.errors import ServerError, VideoError

KEY = "sk-very/secret+key-123"
GOOD = says("A man sits.", usage={"completion_tokens": 5})
BODY = {"model": "seer", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(autouse=True)
def _with_key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may bring the key into a log, at any level."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{refusing_port()}")
    yield
    logged = [record.getMessage() for record in caplog.get_records("call")]
    assert not [line for line in logged if KEY in line]


def ask(url: str, **options: Any) -> str:
    server = ChatServer(url, **{"first_wait_s": 0.001, "timeout_s": 20.0, **options})
    with server.connected() as client:
        return server.ask(client, BODY, threading.Event()).text


def fault(url: str, **options: Any) -> tuple[str, str]:
    """Reason and detail of a reject."""
    with pytest.raises(VideoError) as caught:
        ask(url, **options)
    assert KEY not in str(caught.value)
    return caught.value.reason, str(caught.value)


def stopped(url: str, **options: Any) -> str:
    with pytest.raises(ServerError) as caught:
        ask(url, **options)
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    with playing(GOOD) as server:
        assert ask(server.url + "/") == "A man sits."
    (seen,) = server.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/v1/chat/completions", BODY)
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["Accept-Encoding"] == "identity"
    assert any("send_request_headers" in record.getMessage() for record in caplog.records), "logs show nothing"


def test_the_key_is_optional_and_its_variable_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", " another-key\n")
    with playing(GOOD) as server:
        ask(server.url, key_env="OTHER_KEY")
        ask(server.url, key_env="NO_SUCH_KEY")
    assert [seen.headers.get("Authorization") for seen in server.seen] == ["Bearer another-key", None]


@pytest.mark.parametrize("key", [f"{KEY}\r\nX-Evil: 1", f"{KEY} {KEY}", f"{KEY}é"])
def test_a_key_that_no_header_can_carry_is_not_sent(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with playing(GOOD) as server:
        assert "OPENAI_API_KEY holds characters" in stopped(server.url)
    assert server.seen == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    with playing(Reply(status=status), Reply(b"<html>", status), GOOD) as server:
        assert ask(server.url) == "A man sits."
    assert len(server.seen) == 3


def test_tries_are_limited() -> None:
    with playing(Reply(b'{"error": {"message": "out of memory"}}', 500)) as server:
        reason, detail = fault(server.url)
    assert reason == "server_error"
    assert "status 500, 'out of memory'" in detail
    assert len(server.seen) == TRIES


def test_retry_after_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Reply(status=429, headers={"Retry-After": "1"})
    with playing(busy, GOOD) as server:
        started = time.monotonic()
        assert ask(server.url) == "A man sits."
    assert time.monotonic() - started >= 1.0
    monkeypatch.setattr(chat_server, "LONGEST_RETRY_AFTER_S", 0.01)
    with playing(Reply(status=503, headers={"Retry-After": "86400"}), GOOD) as server:
        started = time.monotonic()
        assert ask(server.url) == "A man sits."
    assert time.monotonic() - started < 3600


def test_retry_after_as_a_date_and_as_nonsense() -> None:
    later = email.utils.formatdate(time.time() + 40, usegmt=True)
    assert 30 < chat_server._retry_after(later) <= 40
    for nothing in ("", "soon", "-1", "1e9", "9" * 30, email.utils.formatdate(0), "Mon, 99 Foo 2026 99:99:99 GMT"):
        assert chat_server._retry_after(nothing) == 0


def test_waits_grow_and_are_bounded() -> None:
    server = ChatServer("http://127.0.0.1/v1", first_wait_s=1.0)
    delays = [[server._delay(tried, 0) for _ in range(50)] for tried in (1, 2, 3, 40)]
    assert all(0.5 <= wait <= 1.0 for wait in delays[0])
    assert all(1.0 <= wait <= 2.0 for wait in delays[1])
    assert len({*delays[0]}) > 10, "all clients would come back at once"
    assert max(delays[3]) <= chat_server.LONGEST_WAIT_S
    assert server._delay(1, 1e9) == chat_server.LONGEST_RETRY_AFTER_S


def test_a_server_that_hangs_or_drips() -> None:
    with playing(Reply(hangs=True)) as server:
        assert fault(server.url, timeout_s=0.1)[0] == "timed_out"
    assert len(server.seen) == TRIES
    with playing(Reply(GOOD.body * 100, drips=True), GOOD) as server:
        assert ask(server.url, timeout_s=0.5) == "A man sits."
    assert len(server.seen) == 2


@pytest.mark.parametrize("sent", [-1, 0, 20])
def test_a_server_that_hangs_up(sent: int) -> None:
    with playing(Reply(GOOD.body, breaks=sent), GOOD) as server:
        assert ask(server.url) == "A man sits."
    assert len(server.seen) == 2
    with playing(Reply(GOOD.body, breaks=sent)) as server:
        reason, detail = fault(server.url)
    assert (reason, len(server.seen)) == ("server_error", TRIES)
    assert "broke off" in detail


def test_what_is_no_http_at_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        speaking = threading.Thread(target=_greet, args=(listening, TRIES))
        speaking.start()
        reason, detail = fault(f"http://127.0.0.1:{listening.getsockname()[1]}/v1")
        speaking.join()
    assert reason == "server_error"
    assert "broke off" in detail


def _greet(listening: socket.socket, times: int) -> None:
    for _ in range(times):
        with listening.accept()[0] as talk:
            talk.recv(65536)
            talk.sendall(b"220 mail.example ESMTP\r\n")


def test_a_huge_answer_is_not_read() -> None:
    with playing(says("x" * (MAX_BYTES + 1))) as server:
        assert fault(server.url) == ("bad_answer", f"the server's answer has more than {MAX_BYTES:,} bytes")
    assert len(server.seen) == 1


def test_garbage_and_compressed_answers() -> None:
    for reply in (Reply(b"<html>Sign in</html>"), Reply(), Reply(GOOD.body, headers={"Content-Encoding": "gzip"})):
        with playing(reply) as server:
            assert fault(server.url)[0] == "bad_answer"
        assert len(server.seen) == 1, "the same answer would come again"


def test_a_refused_request_costs_one_utterance() -> None:
    for status in (400, 413, 422):
        with playing(Reply(b'{"error": {"message": "too many images"}}', status)) as server:
            reason, detail = fault(server.url)
        assert (reason, len(server.seen)) == ("refused", 1)
        assert "too many images" in detail


def test_a_redirect_is_not_followed() -> None:
    with playing(GOOD) as other:
        for status in (301, 302, 303, 307, 308):
            there = {"Location": f"http://joe:secret@127.0.0.1:{other.port}/v1/chat/completions"}
            with playing(Reply(status=status, headers=there)) as server:
                told = stopped(server.url)
            assert f"sends on to 127.0.0.1:{other.port}, which is not followed" in told
            assert len(server.seen) == 1
    assert other.seen == []


@pytest.mark.parametrize("location", ["", "/elsewhere", "http://[", "http://a:99999999/", "\x7f"])
def test_an_odd_redirect_is_the_same_error(location: str) -> None:
    with playing(Reply(status=302, headers={"Location": location})) as server:
        assert "sends on to another address" in stopped(server.url)


def test_a_wrong_key_or_model_stops_at_once() -> None:
    for status in (401, 403):
        with playing(Reply(f'{{"error": "no key {KEY}"}}'.encode(), status)) as server:
            assert "put the right one into OPENAI_API_KEY" in stopped(server.url)
        assert len(server.seen) == 1
    with playing(Reply(b'{"error": {"message": "The model `seer` does not exist."}}', 404)) as server:
        told = stopped(server.url)
    assert "does not exist" in told
    assert "captions.model" in told


def test_a_server_out_of_reach_stops() -> None:
    told = stopped(f"http://127.0.0.1:{refusing_port()}/v1")
    assert "cannot be reached" in told
    assert "captions.server" in told
    assert "has no address" in stopped(f"http://{'a' * 70}.example/v1")


def test_a_server_that_repeats_the_key_is_not_quoted() -> None:
    with playing(Reply(f"<html>Authorization: Bearer {KEY}</html>".encode())) as server:
        assert "Bearer ***" in fault(server.url)[1]
    with playing(Reply(f'{{"error": "bad {KEY}"}}'.encode(), 400)) as server:
        assert "bad ***" in fault(server.url)[1]
    with playing(says(f"The key is {KEY}.")) as server:
        assert ask(server.url) == "The key is ***."


def test_requests_a_minute_are_limited() -> None:
    with playing(Reply(status=500), GOOD) as server:
        started = time.monotonic()
        ask(server.url, per_minute=300)
    assert time.monotonic() - started >= 0.2, "another try is a request too"
    assert len(server.seen) == 2


def test_nothing_is_sent_after_the_stop() -> None:
    stop = threading.Event()
    with playing(GOOD) as server, ChatServer(server.url).connected() as client:
        stop.set()
        with pytest.raises(VideoError, match="stopped"):
            ChatServer(server.url).ask(client, BODY, stop)
    assert server.seen == []


def test_the_list_of_models() -> None:
    def listed(reply: Reply) -> list[str]:
        with playing(reply) as server, ChatServer(server.url).connected() as client:
            return ChatServer(server.url).models(client)

    assert listed(lists("org/seer", " odd\u202e\n name ", "", "x" * 500)) == ["org/seer", "odd name", "x" * 200]
    for reply in (Reply(b'{"data": {"id": 1}}'), Reply(b'{"data": [{"id": 7}]}'), Reply(b"[]"), Reply(b"<"), Reply()):
        assert listed(reply) == []


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("https://models.example/openai/v1/", True),
        ("http://[::1]:8000/v1", True),
        ("ftp://models.example/v1", False),
        ("file:///etc/passwd", False),
        ("127.0.0.1:8000", False),
        ("http://", False),
        ("http://joe:secret@models.example/v1", False),
        ("http://secret@models.example/v1", False),
        ("http://models.example/v1?key=secret", False),
        ("http://models.example/v1#top", False),
        ("http://models.example:99999/v1", False),
        ("http://models.example /v1", False),
        ("http://models.example/v1\n", False),
        ("http://models.example\\@evil.example/v1", False),
        ("http://[::1/v1", False),
        ("", False),
    ],
)
def test_addresses(url: str, good: bool) -> None:
    assert is_plain_address(url) is good
