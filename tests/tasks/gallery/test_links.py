"""Addresses of the gallery's pages: no text from outside becomes a path."""

from __future__ import annotations

from tasks.gallery.links import Filed, Served


def test_names_of_files_come_from_numbers_alone() -> None:
    links = Filed()
    assert links.dialogue("../../etc/passwd") == "dialogue-000001.html"
    assert links.dialogue("../../etc/passwd") == "dialogue-000001.html"
    assert links.utterance('a"b') == "line-0000002.html"


def test_an_id_is_a_parameter_whatever_it_holds() -> None:
    assert Served().dialogue("a/../b?c=d&e#f") == "/dialogue?id=a%2F..%2Fb%3Fc%3Dd%26e%23f"
    assert Served().listing({"words": "", "answer": "wrong", "page": 1}) == "/?answer=wrong&page=1"
    assert Served().listing({}) == "/"


def test_lists_have_names_by_page() -> None:
    assert [Filed().listing({"page": page}) for page in (1, 2)] == ["index.html", "index-2.html"]
    assert Filed().listing({"answer": "wrong", "page": 3}) == "wrong-3.html"
