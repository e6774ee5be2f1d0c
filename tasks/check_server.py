"""Whether the server that captions shall use can be reached, and what it lists."""

from __future__ import annotations

from model.errors import DialogueError
from tasks.captions import CaptionsSettings, server_of
from tasks.check_text import Finding

WAIT_S = 5.0


def of(settings: CaptionsSettings) -> Finding:
    """From one short request, which shows no picture and runs no model; a server may have no list."""
    server = server_of(settings, WAIT_S)
    try:
        with server.connected() as client:
            listed = server.models(client)
    except DialogueError as error:
        return Finding("error", "server", "captions", str(error))
    if listed and settings.model not in listed:
        told = f"it lists {', '.join(listed[:5])}, not {settings.model}, which it may know all the same"
        return Finding("warning", "server", "captions", f"{server.url}: {told}")
    return Finding("info", "server", "captions", f"{server.url} is asked for {settings.model}: no weights needed here")
