from __future__ import annotations

import pytest
from playing_server import Reply, Seen, playing, says

from model.chat_server import TRIES, ChatServer
from model.errors import ServerError, VideoError
from model.generation import Generated
from model.server_answerer import ServerAnswerer

CHATS = [(("system", "Name the emotion."), ("user", f"line {n}")) for n in range(6)]


def answerer(url: str, requests: int = 3) -> ServerAnswerer:
    return ServerAnswerer(ChatServer(url, timeout_s=1.0, first_wait_s=0.001), "org/oracle", requests)


def test_answers_come_in_the_order_of_the_chats_with_their_tokens() -> None:
    def play(request: Seen, _number: int) -> Reply:
        line = request.body["messages"][1]["content"]
        return says(f"answer to {line}", usage={"prompt_tokens": 20, "completion_tokens": int(line[-1])})

    told: list[int] = []
    with playing(play=play) as server:
        found = answerer(server.url).answer(CHATS, 7, told.append)
    made = [one for one in found if isinstance(one, Generated)]
    assert [(one.text, one.n_prompt_tokens, one.n_tokens) for one in made] == [
        (f"answer to line {n}", 20, n) for n in range(6)
    ]
    assert told == [1, 2, 3, 4, 5, 6]
    assert server.most_at_once <= 3
    assert {seen.body["temperature"] for seen in server.seen} == {0}
    assert {(seen.body["model"], seen.body["max_tokens"]) for seen in server.seen} == {("org/oracle", 7)}
    assert server.seen[0].body["messages"][0] == {"role": "system", "content": "Name the emotion."}


@pytest.mark.parametrize(
    ("reply", "reason", "tries"),
    [
        (Reply(b"no", 500), "server_error", TRIES),
        (Reply(b"<html>Sign in</html>"), "bad_answer", 1),
        (Reply(b"{}", 400), "refused", 1),
        (says(None), "bad_answer", 1),
        (says("joy", "content_filter"), "bad_answer", 1),
        (Reply(breaks=-1), "server_error", TRIES),
    ],
    ids=["500", "html", "400", "no text", "filtered", "hung up"],
)
def test_a_fault_is_that_of_one_chat(reply: Reply, reason: str, tries: int) -> None:
    def play(request: Seen, _number: int) -> Reply:
        return reply if request.body["messages"][1]["content"] == "line 1" else says("joy")

    with playing(play=play) as server:
        found = answerer(server.url).answer(CHATS[:3], 7)
    assert [one.reason if isinstance(one, VideoError) else one.text for one in found] == ["joy", reason, "joy"]
    assert len(server.seen) == 2 + tries


def test_what_every_chat_would_meet_is_one_error() -> None:
    with playing(Reply(status=401)) as server, pytest.raises(ServerError, match="refused the key"):
        answerer(server.url).answer(CHATS * 10, 7)
    assert len(server.seen) < 30  # those under way when the first came back


def test_no_chats_no_requests() -> None:
    with playing() as server:
        assert answerer(server.url).answer([], 7) == []
        assert server.seen == []
