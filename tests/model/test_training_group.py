from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from model import training_group
from model.errors import TrainingError
from model.training_group import Lost, Meeting, Place, address, answers


@pytest.fixture
def free() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{found.getsockname()[1]}"


def test_an_address() -> None:
    assert address("node-1.example:29500") == ("node-1.example", 29500)
    assert address("[fe80::1]:80") == ("fe80::1", 80)


@pytest.mark.parametrize("text", ["node", ":80", "node:", "node:x", "node:0", "node:70000", "http://node:80"])
def test_what_is_no_address_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        address(text)


@pytest.mark.parametrize("kind", ["file", "address"])
def test_what_is_said_is_heard(kind: str, free: str, tmp_path: Path) -> None:
    meet = str(tmp_path / "meet") if kind == "file" else free
    lead = Meeting(meet, lead=True)
    other = Meeting(meet)
    other.say("who", "höst")
    assert lead.said("who")
    assert not lead.said("who", "else")
    assert lead.hear("who") == "höst"
    lead.count("n", 2)
    assert other.count("n", 1) == other.count("n") == 3


def test_a_closed_meeting_no_longer_listens_even_while_it_is_held(free: str) -> None:
    assert not answers(free)
    lead = Meeting(free, lead=True)
    assert answers(free)
    with pytest.raises(TrainingError, match=r"cannot listen there .*; choose a free port"):
        Meeting(free, lead=True)
    other = Meeting(free)
    lead.close()
    assert not answers(free)
    with pytest.raises(Lost):
        other.said("anything")
    Meeting(free, lead=True).close()


def test_a_group_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    meet = str(tmp_path / "meet")
    with training_group.joined(Place(0, 1, meet), Meeting(meet, lead=True)):
        text = "ünd " * 10_000
        assert training_group.tell(text) == text
        total = torch.ones(3)
        training_group.add_up(total)
        assert total.tolist() == [1, 1, 1]
    assert not torch.distributed.is_initialized()
    assert "GLOO_SOCKET_IFNAME" not in os.environ


def test_one_that_does_not_join_in_time_is_lost(free: str) -> None:
    with pytest.raises(Lost), training_group.joined(Place(0, 2, free, waiting_s=0.1), Meeting(free, lead=True)):
        raise AssertionError


def test_the_interface_is_the_one_that_leads_there() -> None:
    assert training_group._interface("127.0.0.1:9") == training_group._interface("/tmp/meet") == "lo"
