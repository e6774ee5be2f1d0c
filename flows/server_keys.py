"""The key of a model's server out of a Prefect secret block, where the environment does not hold it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prefect.blocks.system import Secret

from tasks.server_settings import ServerSettings
from tasks.stage import StageSettings


def block_of(variable: str) -> str:
    """The name of the block that stands for an environment variable: "OPENAI_API_KEY" is "openai-api-key"."""
    return variable.lower().replace("_", "-")


@contextmanager
def keys_from_blocks(settings: Mapping[str, StageSettings]) -> Iterator[None]:
    """Puts the keys that these stages' servers need into this process's environment, as long as it lasts.

    Only where a stage names a server and its variable is not set. No block is no error: a server may need no key. The
    key stands nowhere but in the memory of this process and of those that it starts.
    """
    asked = [one for one in settings.values() if isinstance(one, ServerSettings) and one.server]
    missing = {one.server_key_env for one in asked if not os.environ.get(one.server_key_env)}
    found = {name: key for name in sorted(missing) if (key := _secret(block_of(name)))}
    os.environ.update(found)
    try:
        yield
    finally:
        for name in found:
            os.environ.pop(name, None)


def _secret(block: str) -> str | None:
    try:
        value = Secret.load(block).get()  # type: ignore[union-attr]
    except ValueError:  # there is no such block
        return None
    return value if isinstance(value, str) else None
