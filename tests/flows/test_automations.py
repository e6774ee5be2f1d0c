"""The automations on a real server: made once, brought up to date, and they fire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from prefect_server import Server, as_client, until

from model.errors import SettingsError


@pytest.fixture
def server(prefect_server: Server) -> Iterator[Server]:
    with as_client(prefect_server):
        yield prefect_server


def test_the_same_command_twice_makes_three(server: Server) -> None:
    from flows.automations import apply

    names = [name for name, _ in apply(120, None)]
    assert names == [f"dialoguellm: {what}" for what in ("a run failed", "a run is a zombie", "weighted F1 fell")]
    assert apply(180, None) == [(name, "updated") for name in names]
    found = {row["name"]: row for row in server.filtered("automations")}
    assert [name for name in found if name.startswith("dialoguellm")] == sorted(names)
    assert found[names[1]]["trigger"]["within"] == timedelta(seconds=180).total_seconds()
    for row in found.values():  # runs by hand beat at another pace
        ours = row["trigger"].get("match_related") or row["trigger"]["match"]
        assert "dialoguellm" in str(ours)


def test_a_notification_needs_its_block(server: Server) -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    from flows.automations import apply

    for named, said in (("team", "write it as TYPE/NAME"), ("slack-webhook/none", "Prefect has no such block")):
        with pytest.raises(SettingsError, match=said):
            apply(120, named)
    CustomWebhookNotificationBlock(name="team", url="http://127.0.0.1:1/").save("team", overwrite=True)
    apply(120, "custom-webhook/team")
    found = {row["name"]: row for row in server.filtered("automations")}
    kinds = [found[f"dialoguellm: {what}"]["actions"][0]["type"] for what in ("a run failed", "weighted F1 fell")]
    assert kinds == ["send-notification"] * 2


def test_a_fall_of_weighted_f1_sets_one_off(server: Server) -> None:
    from prefect.events import emit_event

    from flows.announce import FELL
    from flows.automations import apply

    apply(120, None)
    emit_event(FELL, {"prefect.resource.id": "dialoguellm.run.demo-1"}, payload={"said": "it fell"})
    fired = {"event": {"name": ["prefect.automation.triggered"]}}
    names = until(lambda: [row["resource"]["prefect.resource.name"] for row in server.filtered("events", filter=fired)])
    assert names == ["dialoguellm: weighted F1 fell"]
