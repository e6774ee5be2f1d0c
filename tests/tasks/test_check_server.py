"""A server that cannot be used is found before the videos are decoded; its model needs no weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playing_server import Reply, lists, playing, refusing_port

from tasks import check_server
from tasks.captions import CaptionsSettings
from tasks.check import check
from tasks.check_disk import needs
from tasks.check_text import Finding
from tasks.stages import STAGES


def look(url: str, model: str = "org/seer") -> Finding:
    return check_server.of(CaptionsSettings(server=url, model=model), model)


def test_the_servers_model_is_listed_or_not() -> None:
    with playing(lists("org/seer", "other")) as server:
        good, unknown = look(server.url), look(server.url, "seer")
    assert (good.level, good.check, good.id) == ("info", "server", "captions")
    assert unknown.level == "warning"
    assert "lists org/seer, other, not seer" in unknown.detail
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/v1/models")] * 2


@pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=404), Reply(b"<html>"), lists(), Reply(b"[]")])
def test_a_server_without_a_list_is_believed(reply: Reply) -> None:
    with playing(reply) as server:
        assert look(server.url).level == "info"


def test_a_server_that_cannot_be_used_is_an_error() -> None:
    with playing(Reply(status=401)) as server:
        assert "OPENAI_API_KEY" in look(server.url).detail
        assert look(server.url).level == "error"
    found = look(f"http://127.0.0.1:{refusing_port()}/v1")
    assert found.level == "error"
    assert "cannot be reached" in found.detail
    assert "captions.server" in found.detail


def test_no_weights_are_looked_for(tmp_path: Path) -> None:
    def told(stages: set[str], **captions: Any) -> list[tuple[str, str, str]]:
        settings = {stage.name: stage.settings() for stage in STAGES if stage.name != "captions"}
        settings["captions"] = CaptionsSettings.model_validate(captions)
        assert "weights" in needs(settings, tmp_path, 0, lambda stage: stage != "captions")
        assert needs(settings, tmp_path, 0, lambda stage: stage == "captions") == {}
        found = check(settings, tmp_path / "cache", stages=stages)
        return [(item.level, item.check, item.id) for item in found if item.check in ("server", "source")]

    with playing(lists("no/such-model")) as server:
        asked = {"server": server.url, "model": "no/such-model"}
        assert told({"captions"}, **asked) == [("info", "server", "captions")]
        assert told({"keyframes"}, **asked) == []
        assert len(server.seen) == 1
