"""What a server answers is checked before anything of it is used."""

from __future__ import annotations

import json

import pytest
from playing_server import says

from model.chat_answer import MAX_BYTES, Answer, answer_of, fault_said, object_of
from model.errors import VideoError


def test_a_good_answer() -> None:
    assert answer_of(says("A man sits.", usage={"completion_tokens": 5}).body) == Answer("A man sits.", 5)
    assert answer_of(says("joy", usage={"completion_tokens": 2, "prompt_tokens": 90}).body) == Answer("joy", 2, 90)
    assert answer_of(says("A man", "length").body) == Answer("A man", 0)
    assert answer_of(says("", None).body) == Answer("", 0)


@pytest.mark.parametrize("count", [None, True, -1, 2.0, "7", [], MAX_BYTES + 1])
def test_a_count_that_is_none_is_not_believed(count: object) -> None:
    assert answer_of(says("A man.", usage={"completion_tokens": count}).body).n_tokens == 0
    assert answer_of(says("A man.", usage=count).body).n_tokens == 0


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": {"0": "A man."}},
        {"choices": "A man."},
        {"choices": [None]},
        {"choices": ["A man."]},
        {"choices": [[]]},
        {"choices": [{"text": "A man."}]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": "A man."}]},
        {"choices": [{"message": {"role": "assistant"}}]},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": [{"type": "text", "text": "A man."}]}}]},
        {"choices": [{"message": {"content": 7}}]},
        [{"choices": [{"message": {"content": "A man."}}]}],
        "A man.",
        None,
    ],
    ids=str,
)
def test_another_shape_is_a_bad_answer(found: object) -> None:
    with pytest.raises(VideoError) as caught:
        answer_of(json.dumps(found).encode())
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize("finish", ["content_filter", "tool_calls", "error", "abort", 3, {}])
def test_a_text_that_was_not_finished_is_a_bad_answer(finish: object) -> None:
    with pytest.raises(VideoError, match="ended the text for") as caught:
        answer_of(says("A man", finish).body)
    assert caught.value.reason == "bad_answer"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html><body>Sign in</body></html>", b"\xff\xfe\x00", b"[" * 100_000, b'{"a": ' * 50_000, b'{"choices":'],
    ids=["empty", "html", "binary", "deep", "deeper", "cut"],
)
def test_what_is_not_json_is_a_bad_answer(body: bytes) -> None:
    with pytest.raises(VideoError, match=r"not JSON.*the root of an API") as caught:
        object_of(body)
    assert caught.value.reason == "bad_answer"
    assert len(str(caught.value)) < 250


def test_the_servers_own_words_are_one_short_line() -> None:
    assert fault_said(b'{"error": {"message": "no such\\n model\\u202e", "code": 404}}') == ", 'no such model'"
    assert fault_said(b'{"detail": "Not Found"}') == ", 'Not Found'"
    assert fault_said(b'{"error": "busy"}') == ", 'busy'"
    for body in (b"", b"<html>", b"[]", b"7", b'{"error": {"message": 7}}', b'{"error": []}', b'{"error": " "}'):
        assert fault_said(body) == ""
    assert len(fault_said(json.dumps({"error": "x" * 10_000}).encode())) < 210
