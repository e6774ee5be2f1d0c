"""The settings by which a stage asks a server for its model, and the server that they name."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from model.chat_server import ChatServer, is_plain_address
from tasks.stage import SECRET, StageSettings

SERVER_FIELDS = frozenset(
    {"server", "server_key_block", "server_key_env", "server_per_minute", "server_requests", "server_timeout_s"}
)
"""What decides where and how fast a server is asked, not what it says."""


class ServerSettings(StageSettings):
    """Base of the settings of a stage whose ``model`` a server may run."""

    SECTION: ClassVar[str]
    """The stage that errors speak of."""

    SHORTER: ClassVar[str]
    """The setting that makes a request smaller."""

    server: str | None = None
    """Address of an OpenAI-compatible API that runs the model: "http://127.0.0.1:8000/v1". None: this process."""
    server_requests: int = Field(default=8, ge=1, le=256)
    """Requests to the server at once."""
    server_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    """Seconds that the server may take for one answer."""
    server_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the server's key; unset where it needs none."""
    server_key_block: str | None = None
    """Name of the Secret block of Prefect's that holds the server's key: a flow puts it into that variable while the
    stage works. None: the variable is set already, or the server needs no key."""
    server_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    """Requests to the server in a minute. None: no limit."""

    def server_of(self, timeout_s: float | None = None) -> ChatServer:
        """The server that is named; ``timeout_s`` instead of the settings' own."""
        return ChatServer(
            self.server or "",
            key_env=self.server_key_env,
            timeout_s=timeout_s or self.server_timeout_s,
            per_minute=self.server_per_minute,
            section=self.SECTION,
            shorter=self.SHORTER,
        )

    @field_validator("server")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is None or is_plain_address(value):
            return value
        told = "must be http://HOST:PORT/v1 or https://…, without user, password, query and fragment"
        raise PydanticCustomError(SECRET, told)

    @field_validator("server_key_block")
    @classmethod
    def _name_of_block(cls, value: str | None) -> str | None:
        if value is None or (re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value) and len(value) <= 60):
            return value
        told = "must be the name of a Secret block (small letters, digits and hyphens), not the key itself"
        raise PydanticCustomError(SECRET, told)

    @field_validator("server_key_env")
    @classmethod
    def _name_of_variable(cls, value: str) -> str:
        if re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value):
            return value
        raise PydanticCustomError(SECRET, "must be the name of an environment variable in capitals, not the key itself")
