"""What all pages have in common: templates that escape every text, and text that hides nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(folder: Path = Path(__file__).parent) -> Environment:
    """The templates of a folder, with those beside this file. Every value is escaped; a missing one is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number="{:,}".format, clip=clip)
    return made


def visible(value: Any) -> Any:
    """Text without characters that show nothing or turn the text around; Markup and numbers as they are."""
    if type(value) is not str:
        return value
    return "".join(char for char in value if char in "\n\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))


def clip(text: str, length: int) -> str:
    """At most ``length`` characters of a text, the last an ellipsis where it is cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
