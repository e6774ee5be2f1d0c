"""The gallery's server: who is let in, and what it answers to addresses that make no sense."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from scored_run import corpus_lines, recorded, right_but
from starlette.testclient import TestClient

from flows.gallery_server import HOST, application, listen
from model.errors import SettingsError
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot

LINES = corpus_lines()
PORT = 4711
TOKEN = "a-token"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    rows = [row for row in LINES if row.split == "test"]
    return Pages(Snapshot(recorded(tmp_path_factory.mktemp("served"), right_but(rows, [0]), LINES)), Served())


@pytest.fixture
def stranger(pages: Pages) -> TestClient:
    return TestClient(application(pages, PORT, TOKEN), base_url=f"http://{HOST}:{PORT}")


@pytest.fixture
def reader(stranger: TestClient) -> TestClient:
    assert stranger.get("/", params={"token": TOKEN}).status_code == 200
    return stranger


def test_the_token_opens_once_and_the_cookie_goes_on(pages: Pages) -> None:
    app = application(pages, PORT, TOKEN)
    first, second = (TestClient(app, base_url=f"http://{HOST}:{PORT}") for _ in range(2))
    assert first.get("/").status_code == 403
    answer = first.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert answer.status_code == 303
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert TOKEN not in answer.headers["set-cookie"]
    assert first.get("/").status_code == 200
    assert second.get("/", params={"token": TOKEN}).status_code == 403


@pytest.mark.parametrize("token", ["", "wrong", "a-toke", "a-token2", "é"])
def test_another_token_opens_nothing(stranger: TestClient, token: str) -> None:
    assert stranger.get("/", params={"token": token}).status_code == 403
    assert stranger.get("/dialogue", params={"id": "demo/test/0"}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", HOST, f"{HOST}:1", ""])
def test_another_name_of_this_machine_is_refused(reader: TestClient, host: str) -> None:
    assert reader.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_but_reading_is_answered(reader: TestClient, method: str) -> None:
    assert reader.request(method, "/").status_code == 405


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/?page=0", 400),
        ("/?page=x", 400),
        ("/?order=1;drop", 400),
        ("/?unknown=1", 400),
        ("/?words=" + "a" * 201, 400),
        ("/?words='; DROP TABLE lines; --", 200),
        ("/?page=99", 200),
        ("/dialogue", 404),
        ("/dialogue?id=<script>alert(1)</script>", 404),
        ("/utterance?id=../../etc/passwd", 404),
        ("/utterance?id=" + "a" * 5000, 404),
        ("/picture?id=demo/test/0/0&rank=0&size=huge", 400),
        ("/picture?id=demo/test/0/0&rank=-1&size=small", 400),
        ("/picture?id=demo/test/0/0&rank=%D9%A3&size=small", 400),
        ("/picture?id=demo/test/0/0&rank=0&size=small", 404),
        ("/../etc/passwd", 404),
        ("/static", 404),
    ],
)
def test_an_address_that_makes_no_sense_is_answered_plainly(reader: TestClient, address: str, status: int) -> None:
    answer = reader.get(address)
    assert answer.status_code == status
    assert "<script>alert" not in answer.text
    assert reader.get("/").status_code == 200


def test_every_answer_forbids_what_it_does_not_need(reader: TestClient) -> None:
    for address in ("/", "/dialogue?id=demo/test/0", "/nowhere"):
        headers = reader.get(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


def test_it_listens_to_this_machine_alone_and_says_which_port_is_taken() -> None:
    with listen(0) as bound:
        assert bound.getsockname()[0] == HOST
        taken = socket.socket()
        taken.bind((HOST, 0))
        taken.listen()
        with taken, pytest.raises(SettingsError, match="name another"):
            listen(taken.getsockname()[1])


def test_a_damaged_lake_is_a_page_that_names_the_file(tmp_path: Path) -> None:
    rows = [row for row in LINES if row.split == "test"]
    run = recorded(tmp_path, right_but(rows, [0]), LINES)
    pages = Pages(Snapshot(run), Served())
    key = run.keys["instructions"] or ""
    part = run.layout.part("instructions", key, 2)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x")
    run.layout.manifest("instructions", key, 2).write_text('{"bytes": 1}')
    client = TestClient(application(pages, PORT, TOKEN), base_url=f"http://{HOST}:{PORT}")
    client.get("/", params={"token": TOKEN})
    answer = client.get("/utterance", params={"id": "demo/test/0/0"})
    assert answer.status_code == 500
    assert "part-00002.parquet is damaged" in answer.text
