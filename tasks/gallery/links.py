"""Where the gallery's pages lie: on the server, or in a folder of files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from tasks.gallery.pictures import Size


class Links(Protocol):
    """Addresses of pages, relative to one another."""

    searchable: bool
    """Whether a list of dialogues can be asked for by a filter."""

    def listing(self, asked: Mapping[str, Any]) -> str: ...

    def dialogue(self, dialogue: str) -> str: ...

    def utterance(self, utterance_id: str) -> str: ...

    def picture(self, utterance_id: str, rank: int, size: Size) -> str: ...


class Served:
    """Addresses on the server. An id is a parameter: whatever characters it has, it is no path."""

    searchable = True

    def listing(self, asked: Mapping[str, Any]) -> str:
        kept = {name: value for name, value in asked.items() if value not in ("", None)}
        return "/?" + urlencode(kept) if kept else "/"

    def dialogue(self, dialogue: str) -> str:
        return "/dialogue?" + urlencode({"id": dialogue})

    def utterance(self, utterance_id: str) -> str:
        return "/utterance?" + urlencode({"id": utterance_id})

    def picture(self, utterance_id: str, rank: int, size: Size) -> str:
        return "/picture?" + urlencode({"id": utterance_id, "rank": rank, "size": size})


class Filed:
    """Names of files in one folder, numbered: no text from outside becomes a name."""

    searchable = False

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def listing(self, asked: Mapping[str, Any]) -> str:
        kind = "wrong" if asked.get("answer") == "wrong" else "index"
        page = int(asked.get("page", 1))
        return f"{kind}.html" if page == 1 else f"{kind}-{page}.html"

    def dialogue(self, dialogue: str) -> str:
        return f"dialogue-{self._number('dialogue', dialogue):06d}.html"

    def utterance(self, utterance_id: str) -> str:
        return f"line-{self._number('utterance', utterance_id):07d}.html"

    def picture(self, utterance_id: str, rank: int, size: Size) -> str:
        return f"pictures/{self._number('utterance', utterance_id):07d}-{rank}-{size}.jpg"

    def _number(self, kind: str, name: str) -> int:
        return self._numbers.setdefault((kind, name), len(self._numbers) + 1)
