"""The key of a model server, out of a Secret block of Prefect's, in the environment for as long as a stage works.

Settings name the block, never the key. Only here is it loaded; nothing returns it, and it is no parameter and no
result, so that it is in no log, record, table or row of Prefect's database (where the block itself lies encrypted).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from model.errors import SettingsError
from tasks.server_settings import ServerSettings
from tasks.stage import StageSettings

_LOCK = threading.Lock()
_USERS: dict[str, int] = {}
_BEFORE: dict[str, str | None] = {}


def block_of(settings: StageSettings) -> str | None:
    """The Secret block that a stage names for its server, None where it asks none or names none."""
    if isinstance(settings, ServerSettings) and settings.server and getattr(settings, "enabled", True):
        return settings.server_key_block
    return None


@contextmanager
def given(settings: StageSettings) -> Iterator[None]:
    """The stage's key in its environment variable; afterwards what was there before.

    Shards may do this at once, as threads of one process: the first to come sets it, the last to go puts it back.
    Raises SettingsError where there is no such block.
    """
    block = block_of(settings)
    if block is None:
        yield
        return
    assert isinstance(settings, ServerSettings)
    variable, key = settings.server_key_env, _load(block, settings.SECTION)
    with _LOCK:
        if not _USERS.get(variable):
            _BEFORE[variable] = os.environ.get(variable)
        _USERS[variable] = _USERS.get(variable, 0) + 1
        os.environ[variable] = key
    try:
        yield
    finally:
        with _LOCK:
            _USERS[variable] -= 1
            if not _USERS[variable]:
                before = _BEFORE.pop(variable)
                os.environ.pop(variable, None)
                if before is not None:
                    os.environ[variable] = before


def must_be_set(settings: StageSettings) -> None:
    """Without Prefect nothing loads the block. Raises SettingsError unless the variable holds the key already."""
    if block_of(settings) and isinstance(settings, ServerSettings) and not os.environ.get(settings.server_key_env):
        raise SettingsError(
            f"{settings.SECTION}.server_key_block is a block of Prefect's, which --direct does without: "
            f"put the key into {settings.server_key_env}, or leave --direct out"
        )


def _load(block: str, section: str) -> str:
    from prefect.blocks.system import Secret

    try:
        found = Secret.load(block)
    except ValueError:
        raise SettingsError(
            f"{section}.server_key_block: Prefect has no Secret block {block!r}: make it in the UI under Blocks"
        ) from None
    return str(found.get())  # type: ignore[union-attr]
