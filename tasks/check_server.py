"""Whether the server that a stage shall ask can be reached, and what it lists."""

from __future__ import annotations

from model.errors import DialogueError
from tasks.check_text import Finding
from tasks.server_settings import ServerSettings

WAIT_S = 5.0


def of(settings: ServerSettings, model: str) -> Finding:
    """From one short request, which runs no model; a server may have no list."""
    server, stage = settings.server_of(WAIT_S), settings.SECTION
    try:
        with server.connected() as client:
            listed = server.models(client)
    except DialogueError as error:
        return Finding("error", "server", stage, str(error))
    if listed and model not in listed:
        told = f"it lists {', '.join(listed[:5])}, not {model}, which it may know all the same"
        return Finding("warning", "server", stage, f"{server.url}: {told}")
    return Finding("info", "server", stage, f"{server.url} is asked for {model}: no weights needed here")
