"""A server that speaks a broken HTTP, or endlessly: a reject or one error, in the time that was allowed, and the key
goes nowhere. What a server may say in whole sentences is in tests/model/test_chat_server.py."""

from __future__ import annotations

import datetime
import gzip
import ipaddress
import itertools
import logging
import ssl
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from playing_server import Reply, playing, says
from raw_server import GOOD, Line, Talk, speaking

from model import chat_server
from model.chat_answer import MAX_BYTES
from model.chat_server import TRIES, ChatServer
from model.errors import ServerError, VideoError

KEY = "sk-very/secret+key-123"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture(autouse=True)
def _with_key(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    yield
    assert not [record for record in caplog.get_records("call") if KEY in record.getMessage()]


def asked(url: str, timeout_s: float = 5.0) -> str:
    """The answer, or the reason of a reject, or "stopped"; no fault may name the key."""
    server = ChatServer(url, first_wait_s=0.001, timeout_s=timeout_s)
    try:
        with server.connected() as client:
            return server.ask(client, {"model": "seer", "messages": []}, threading.Event()).text
    except (VideoError, ServerError) as error:
        reason = error.reason if isinstance(error, VideoError) else "stopped"
        return "the key" if KEY in str(error) else reason


def answered(talk: Talk, timeout_s: float = 5.0) -> tuple[str, int]:
    """The same, and how often the server was called."""
    with speaking(talk) as raw:
        return asked(f"http://127.0.0.1:{raw.port}/v1", timeout_s), len(raw.heard)


def whole(body: bytes, *headers: bytes) -> Talk:
    head = [OK, *(header + b"\r\n" for header in headers), f"Content-Length: {len(body)}\r\n\r\n".encode()]
    return lambda line: (line.say(*head, body), None)[1]


def raw(*parts: bytes, start: bytes = OK) -> Talk:
    return lambda line: (line.say(start, *parts), None)[1]


def drips(line: Line) -> None:
    """Headers a byte at a time, each soon enough."""
    line.say(OK, *(bytes([byte]) for byte in b"X-Header: value\r\n" * 1000), apart_s=0.03)


def goes_on(line: Line) -> None:
    """Interim answers without end, each a whole one."""
    line.say(*itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 1000), apart_s=0.03)


def test_a_server_that_never_comes_to_the_point_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "TRIES", 2)
    for talk in (drips, goes_on):
        assert answered(talk, timeout_s=0.2) == ("timed_out", 2)


def endless_headers(line: Line) -> None:
    while line.say(b"X-Header: " + b"a" * 10_000 + b"\r\n"):
        pass


def endless_body(line: Line) -> None:
    line.say(OK, b"Transfer-Encoding: chunked\r\n\r\n")
    while line.say(b"10000\r\n" + b"0" * 0x10000 + b"\r\n"):
        pass


def test_endless_answers_are_not_kept() -> None:
    tracemalloc.start()
    assert answered(lambda line: (line.say(OK), endless_headers(line), None)[2]) == ("server_error", TRIES)
    assert answered(endless_body) == ("bad_answer", 1)
    assert tracemalloc.get_traced_memory()[1] < 20 * MAX_BYTES
    tracemalloc.stop()


@pytest.mark.parametrize("named", [True, False])
def test_a_bomb_is_not_unpacked(named: bool) -> None:
    bomb = gzip.compress(b"0" * 200_000_000, 1)
    tracemalloc.start()
    headers = [b"Content-Encoding: gzip"] if named else []
    assert answered(whole(bomb[:MAX_BYTES], *headers)) == ("bad_answer", 1)
    assert tracemalloc.get_traced_memory()[1] < 20 * MAX_BYTES
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (whole(GOOD, b"Content-Type: text/html"), ("joy", 1)),
        (whole(b'{"error": {"message": "quota"}}', b"Content-Type: application/json"), ("bad_answer", 1)),
        (whole(b"data: " + GOOD + b"\n\ndata: [DONE]\n\n", b"Content-Type: text/event-stream"), ("bad_answer", 1)),
        (whole(b"\xff\xfe" + GOOD), ("bad_answer", 1)),
        (whole(b"[" * 100_000), ("bad_answer", 1)),
        (whole(GOOD[:-10]), ("bad_answer", 1)),
        (raw(b"Content-Length: 20\r\n\r\n", GOOD), ("bad_answer", 1)),
        (raw(b"Content-Length: 999\r\n\r\n", GOOD), ("server_error", TRIES)),
        (raw(b"Content-Length: -1\r\n\r\n", GOOD), ("server_error", TRIES)),
        (raw(b"Content-Length: 46\r\nContent-Length: 47\r\n\r\n", GOOD), ("server_error", TRIES)),
        (raw(b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), ("server_error", TRIES)),
        (raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", start=b""), ("refused", 1)),
        (raw(b"HTTP/9.9 200 OK\r\n\r\n", start=b""), ("bad_answer", 1)),
        (raw(b"\x16\x03\x01\x00\x00", start=b""), ("server_error", TRIES)),
        (raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", start=b""), ("server_error", TRIES)),
    ],
    ids=range(15),
)  # fmt: skip
def test_each_broken_answer_is_one_reject(said: Talk, found: tuple[str, int]) -> None:
    assert answered(said) == found


def test_half_a_character_is_no_text_and_no_crash() -> None:
    odd = GOOD.replace(b"joy", rb"joy \ud83d!")
    assert answered(whole(odd)) == ("joy ?!", 1)


def test_wrong_numbers_of_choices_and_tokens() -> None:
    choice = GOOD[len(b'{"choices": [') : -2]
    for body in (b'{"choices": []}', b'{"choices": 3}', b'{"choices": [null]}'):
        assert answered(whole(body)) == ("bad_answer", 1)
    more = b'{"choices": [' + choice + b"," + choice + b'], "usage": {"completion_tokens": 1e999, "prompt_tokens": -4}}'
    assert answered(whole(more)) == ("joy", 1)


def test_the_key_stays_with_the_server_that_was_named() -> None:
    with speaking(whole(GOOD)) as other:
        for status in (301, 307, 308):
            there = {"Location": f"http://127.0.0.1:{other.port}/v1/chat/completions", "Refresh": "0"}
            with playing(Reply(status=status, headers=there), says("joy")) as server:
                assert asked(server.url) == "stopped"
                assert len(server.seen) == 1
    assert other.heard == []


def test_a_server_that_speaks_no_tls_never_gets_the_key() -> None:
    with speaking(whole(GOOD)) as raw:
        assert asked(f"https://127.0.0.1:{raw.port}/v1") == "stopped"
    assert raw.heard
    assert not [heard for heard in raw.heard if b"Bearer" in heard]


def test_a_certificate_of_nobody_never_gets_the_key(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path / "own.pem"))
    with speaking(whole(GOOD), context) as raw:
        assert asked(f"https://127.0.0.1:{raw.port}/v1") == "stopped"
    assert raw.heard == []


def test_over_tls_the_deadline_holds_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _certificate(tmp_path / "own.pem")
    monkeypatch.setattr(chat_server, "TRIES", 1)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with speaking(whole(GOOD), context) as raw:
        assert asked(f"https://127.0.0.1:{raw.port}/v1") == "joy"
    with speaking(drips, context) as raw:
        assert asked(f"https://127.0.0.1:{raw.port}/v1", timeout_s=0.5) == "timed_out"


def _certificate(path: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that no authority signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    private = key.private_bytes(form, serialization.PrivateFormat.PKCS8, plain)
    path.write_bytes(private + made.public_bytes(form))
    return path
