"""A server's key out of a Secret block: in its variable while a stage works, and not a moment longer."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Iterator

import pytest
from prefect_server import Server, as_client

from flows.server_keys import block_of, given, must_be_set
from model.errors import SettingsError
from tasks.captions import CaptionsSettings
from tasks.ingest_settings import IngestSettings

KEY, VARIABLE = "sk-planted-0123456789", "OPENAI_API_KEY"


@pytest.fixture
def block(prefect_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.delenv(VARIABLE, raising=False)
    with as_client(prefect_server):
        from prefect.blocks.system import Secret

        Secret(value=KEY).save("key-of-a-test", overwrite=True)
        yield "key-of-a-test"


def asking(**settings: object) -> CaptionsSettings:
    return CaptionsSettings.model_validate({"model": "m", "server": "http://127.0.0.1:1/v1", **settings})


def test_the_key_is_there_while_a_stage_works(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with given(asking(server_key_block=block)):
        assert os.environ[VARIABLE] == KEY
    assert VARIABLE not in os.environ
    monkeypatch.setenv(VARIABLE, "another")
    with given(asking(server_key_block=block)):
        assert os.environ[VARIABLE] == KEY
    assert os.environ[VARIABLE] == "another"
    with pytest.raises(ZeroDivisionError), given(asking(server_key_block=block)):
        raise ZeroDivisionError
    assert os.environ[VARIABLE] == "another"


def test_shards_at_once_share_it(block: str) -> None:
    settings, inside, leave = asking(server_key_block=block), threading.Barrier(2), threading.Event()

    def stay() -> None:
        with given(settings):
            inside.wait(60)
            leave.wait(60)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(stay,))  # as Prefect starts a task
    thread.start()
    with given(settings):
        inside.wait(60)
    assert os.environ[VARIABLE] == KEY, "the other shard still works"
    leave.set()
    thread.join(60)
    assert VARIABLE not in os.environ


def test_a_block_that_is_not_there_is_named(block: str) -> None:
    with (
        pytest.raises(SettingsError, match=r"captions\.server_key_block: Prefect has no Secret block 'no-such'"),
        given(asking(server_key_block="no-such")),
    ):
        pass
    assert block
    assert VARIABLE not in os.environ


def test_only_a_stage_that_asks_a_server_has_one() -> None:
    assert block_of(asking(server_key_block="a")) == "a"
    assert block_of(asking()) is block_of(asking(server_key_block="a", enabled=False)) is None
    assert block_of(CaptionsSettings(server_key_block="a")) is None
    assert block_of(IngestSettings(corpus="demo")) is None


@pytest.mark.parametrize("name", ["sk-ABC", "a/b", "", "a" * 61, "-a"])
def test_a_key_in_place_of_a_name_is_refused_without_being_repeated(name: str) -> None:
    with pytest.raises(ValueError, match="must be the name of a Secret block") as caught:
        asking(server_key_block=name)
    assert "secret" in str(caught.value)


def test_without_prefect_the_variable_must_hold_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    must_be_set(asking())
    with pytest.raises(SettingsError, match="put the key into OPENAI_API_KEY, or leave --direct out"):
        must_be_set(asking(server_key_block="a"))
    monkeypatch.setenv(VARIABLE, KEY)
    must_be_set(asking(server_key_block="a"))
