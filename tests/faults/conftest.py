"""The bad files, made once a session, and what became of them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from faults.bad_videos import Kit, build, every_case


@pytest.fixture(scope="session")
def server() -> Iterator[socket.socket]:
    """Listens on this machine alone and answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture(scope="session")
def kit(tmp_path_factory: pytest.TempPathFactory, server: socket.socket) -> Kit:
    base = tmp_path_factory.mktemp("bad")
    for folder in ("videos", "outside"):
        (base / folder).mkdir()
    return Kit(base / "videos", base / "outside", server.getsockname()[1])


@pytest.fixture(scope="session")
def missing(kit: Kit) -> dict[str, str]:
    """All files are there after this, but for these, and why."""
    return build(kit, every_case())
